#include "common/redis/pipelined_connection.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace tocsin::redis {

PipelinedConnection::PipelinedConnection(EventLoop& loop, Connection connection)
    : loop_(loop), connection_(std::move(connection)) {
  watcher_.emplace(loop_, connection_->fd(), [this](unsigned events) { OnReady(events); });
  watcher_->Watch(FdWatcher::kReadable);
}

void PipelinedConnection::Execute(const std::function<void(Connection&)>& append,
                                  SteadyTime deadline, Callback<Result<Reply>> done) {
  append(*connection_);
  in_flight_.push_back({deadline, std::move(done)});
  WatchDeadline(deadline);
  PostFlush();
}

void PipelinedConnection::OnReady(unsigned events) {
  // Tasks that get a reply now execute their next commands: these are sent below, together.
  const bool posted = std::exchange(flush_pending_, true);
  if ((events & FdWatcher::kReadable) != 0) {
    if (const auto received = Receive(); !received) Close(received.error());
  }
  flush_pending_ = posted;
  Flush();
}

Result<bool> PipelinedConnection::Receive() {
  TOCSIN_TRY(const bool received, connection_->Receive());
  while (true) {
    TOCSIN_TRY(std::optional<Reply> reply, connection_->NextReply());
    if (!reply) return received;
    const Callback<Result<Reply>> done = std::move(in_flight_.front().done);
    in_flight_.pop_front();
    done(*std::move(reply));
  }
}

// Not at once: the other tasks of this iteration of the loop may execute commands, too.
void PipelinedConnection::PostFlush() {
  if (std::exchange(flush_pending_, true)) return;
  loop_.Post([weak = std::weak_ptr(self_)] {
    const auto self = weak.lock();
    if (!self) return;
    (*self)->flush_pending_ = false;
    (*self)->Flush();
  });
}

void PipelinedConnection::Flush() {
  if (!connection_) return;
  const Result<bool> sent = connection_->Send();
  if (!sent) return Close(sent.error());
  if (awaits_writable_ == !*sent) return;
  awaits_writable_ = !*sent;
  watcher_->Watch(awaits_writable_ ? FdWatcher::kReadable | FdWatcher::kWritable
                                   : FdWatcher::kReadable);
}

void PipelinedConnection::WatchDeadline(SteadyTime deadline) {
  if (next_check_ && *next_check_ <= deadline) return;
  next_check_ = deadline;
  const auto left = std::chrono::ceil<Micros>(deadline - std::chrono::steady_clock::now());
  loop_.After(left, [weak = std::weak_ptr(self_), deadline] {
    if (const auto self = weak.lock()) (*self)->OnDeadline(deadline);
  });
}

void PipelinedConnection::OnDeadline(SteadyTime deadline) {
  if (next_check_ != deadline) return;  // an earlier check replaced this one
  next_check_.reset();
  if (EarliestDeadline() <= std::chrono::steady_clock::now()) {
    // The loop itself may be late: what has arrived counts.
    while (true) {
      const Result<bool> received = Receive();
      if (!received) return Close(received.error());
      if (!*received) break;
    }
    if (EarliestDeadline() <= std::chrono::steady_clock::now())
      return Close(Unavailable("no reply within the timeout"));
  }
  if (!in_flight_.empty()) WatchDeadline(EarliestDeadline());
}

SteadyTime PipelinedConnection::EarliestDeadline() const {
  SteadyTime earliest = SteadyTime::max();
  for (const Command& command : in_flight_) earliest = std::min(earliest, command.deadline);
  return earliest;
}

void PipelinedConnection::Close(const Error& error) {
  watcher_.reset();
  connection_.reset();
  for (const Command& command : std::exchange(in_flight_, {})) command.done(Fail(error));
}

}  // namespace tocsin::redis
