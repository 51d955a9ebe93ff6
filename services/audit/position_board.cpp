#include "services/audit/position_board.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace tocsin::audit {
namespace {

using postgres::Rows;
using postgres::Transaction;

Status Closing() {
  return Fail(Error{.code = ErrorCode::kOverloaded,
                    .message = "this replica is stopping",
                    .retry_after = std::chrono::milliseconds(1'000)});
}

}  // namespace

PositionBoard::PositionBoard(postgres::Options database, std::string cluster_id)
    : cluster_id_(std::move(cluster_id)),
      session_([&] {
        database.statement_limit = kPollLimit;
        return std::move(database);
      }()),
      thread_([this] { Run(); }) {}

PositionBoard::~PositionBoard() { Close(); }

bool PositionBoard::FoldedLocked(const PartitionKey& partition, std::int64_t offset) const {
  const auto known = next_.find(partition);
  return known != next_.end() && known->second > offset;
}

PositionBoard::Ticket PositionBoard::Wait(const PartitionKey& partition, std::int64_t offset,
                                          SteadyTime deadline, Answer answer) {
  Status now;
  {
    const std::lock_guard lock(mutex_);
    const Ticket ticket = ++last_ticket_;
    if (closed_) {
      now = Closing();
    } else if (!FoldedLocked(partition, offset)) {
      if (waiters_.size() < kMaxWaiting) {
        waiters_.emplace(ticket, Waiter{partition, offset, deadline, std::move(answer)});
        changed_.notify_one();
        return ticket;
      }
      now = Fail(Error{.code = ErrorCode::kOverloaded,
                       .message = "too many calls wait for a position",
                       .retry_after = std::chrono::milliseconds(1'000)});
    }
  }
  answer(now);
  return 0;
}

bool PositionBoard::Forget(Ticket ticket) {
  const std::lock_guard lock(mutex_);
  return waiters_.erase(ticket) == 1;
}

void PositionBoard::Advance(const std::map<PartitionKey, std::int64_t>& next) {
  std::vector<Answer> served;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [partition, offset] : next) {
      std::int64_t& known = next_[partition];
      known = std::max(known, offset);
    }
    for (auto entry = waiters_.begin(); entry != waiters_.end();) {
      if (!FoldedLocked(entry->second.partition, entry->second.offset)) {
        ++entry;
        continue;
      }
      served.push_back(std::move(entry->second.answer));
      entry = waiters_.erase(entry);
    }
  }
  for (const Answer& answer : served) answer({});
}

void PositionBoard::Close() {
  std::map<Ticket, Waiter> left;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    left.swap(waiters_);
  }
  changed_.notify_all();
  for (const auto& [ticket, waiter] : left) waiter.answer(Closing());
  if (thread_.joinable()) thread_.join();
}

size_t PositionBoard::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiters_.size();
}

void PositionBoard::Run() {
  std::unique_lock lock(mutex_);
  while (!closed_) {
    changed_.wait(lock, [this] { return closed_ || !waiters_.empty(); });
    if (closed_) return;
    lock.unlock();
    const Status polled = Poll();
    AnswerOverdue(polled);
    lock.lock();
    changed_.wait_for(lock, kPollEvery, [this] { return closed_; });
  }
}

Status PositionBoard::Poll() {
  std::map<PartitionKey, std::int64_t> next;
  const Status read = session_.Run([&](Transaction& transaction) -> Status {
    TOCSIN_TRY(
        const Rows rows,
        transaction.Query(
            "SELECT topic, partition, next_offset FROM tocsin.positions WHERE cluster_id = $1",
            {cluster_id_}));
    for (size_t i = 0; i < rows.size(); ++i)
      next[{std::string(rows.Text(i, 0)), static_cast<std::int32_t>(rows.Integer(i, 1))}] =
          rows.Integer(i, 2);
    return {};
  });
  TOCSIN_CHECK_OK(read);
  Advance(next);
  return {};
}

void PositionBoard::AnswerOverdue(const Status& polled) {
  std::vector<Answer> overdue;
  const SteadyTime now = std::chrono::steady_clock::now();
  {
    const std::lock_guard lock(mutex_);
    for (auto entry = waiters_.begin(); entry != waiters_.end();) {
      if (entry->second.deadline > now) {
        ++entry;
        continue;
      }
      overdue.push_back(std::move(entry->second.answer));
      entry = waiters_.erase(entry);
    }
  }
  const Status late = polled ? Status(Fail(Error{.code = ErrorCode::kOverloaded,
                                                 .message = "the record is not folded yet",
                                                 .retry_after = std::chrono::milliseconds(500)}))
                             : polled;
  for (const Answer& answer : overdue) answer(late);
}

}  // namespace tocsin::audit
