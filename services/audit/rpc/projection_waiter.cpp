#include "services/audit/rpc/projection_waiter.h"

#include <utility>
#include <vector>

#include "common/rpc/admission_gate.h"
#include "services/audit/rpc/unary_request.h"

namespace tocsin::audit {

using postgres::Transaction;

ProjectionWaiter::ProjectionWaiter(postgres::Options database, std::string cluster_id)
    : cluster_id_(std::move(cluster_id)),
      session_([&] {
        database.statement_timeout = kPositionPollTimeout;
        return std::move(database);
      }()),
      thread_([this] { Run(); }) {}

ProjectionWaiter::~ProjectionWaiter() { Close(); }

bool ProjectionWaiter::IsProjectedLocked(const PartitionKey& partition, std::int64_t offset) const {
  const auto known = next_.find(partition);
  return known != next_.end() && known->second > offset;
}

ProjectionWaiter::WaitId ProjectionWaiter::Wait(const PartitionKey& partition, std::int64_t offset,
                                                SteadyTime deadline, Callback callback) {
  Status result;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) {
      result = Fail(rpc::ShuttingDownError());
    } else if (!IsProjectedLocked(partition, offset)) {
      if (waiters_.size() < kMaxWaiting) {
        const WaitId wait_id = ++last_wait_id_;
        waiters_.emplace(wait_id, Waiter{partition, offset, deadline, std::move(callback)});
        changed_.notify_one();
        return wait_id;
      }
      result = Fail(OverloadedError("too many requests wait for a consistency token"));
    }
  }
  callback(result);
  return 0;
}

bool ProjectionWaiter::Forget(WaitId wait_id) {
  const std::lock_guard lock(mutex_);
  return waiters_.erase(wait_id) == 1;
}

void ProjectionWaiter::Advance(const Positions& next) {
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [partition, offset] : next) next_[partition] = offset;
  }
  EndProjected();
}

void ProjectionWaiter::EndProjected() {
  std::vector<Callback> served;
  {
    const std::lock_guard lock(mutex_);
    for (auto entry = waiters_.begin(); entry != waiters_.end();) {
      if (!IsProjectedLocked(entry->second.partition, entry->second.offset)) {
        ++entry;
        continue;
      }
      served.push_back(std::move(entry->second.callback));
      entry = waiters_.erase(entry);
    }
  }
  for (const Callback& callback : served) callback({});
}

void ProjectionWaiter::Close() {
  std::map<WaitId, Waiter> ended;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    ended.swap(waiters_);
  }
  changed_.notify_all();
  for (const auto& [wait_id, waiter] : ended) waiter.callback(Fail(rpc::ShuttingDownError()));
  if (thread_.joinable()) thread_.join();
}

size_t ProjectionWaiter::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiters_.size();
}

void ProjectionWaiter::Run() {
  std::unique_lock lock(mutex_);
  while (!closed_) {
    changed_.wait(lock, [this] { return closed_ || !waiters_.empty(); });
    if (closed_) return;
    lock.unlock();
    const Status polled = PollPositions();
    EndOverdue(polled);
    lock.lock();
    changed_.wait_for(lock, kPositionPollInterval, [this] { return closed_; });
  }
}

// What is read replaces what is known: PostgreSQL may have lost commits. A batch that was committed
// in the meantime is found by the next poll.
Status ProjectionWaiter::PollPositions() {
  Positions stored;
  const Status read = session_.Run([&](Transaction& transaction) -> Status {
    TOCSIN_TRY(stored, ReadPositions(transaction, cluster_id_));
    return {};
  });
  TOCSIN_CHECK_OK(read);
  {
    const std::lock_guard lock(mutex_);
    next_ = std::move(stored);
  }
  EndProjected();
  return {};
}

void ProjectionWaiter::EndOverdue(const Status& polled) {
  std::vector<Callback> overdue;
  const SteadyTime now = std::chrono::steady_clock::now();
  {
    const std::lock_guard lock(mutex_);
    for (auto entry = waiters_.begin(); entry != waiters_.end();) {
      if (entry->second.deadline > now) {
        ++entry;
        continue;
      }
      overdue.push_back(std::move(entry->second.callback));
      entry = waiters_.erase(entry);
    }
  }
  const Status late =
      polled ? Status(Fail(OverloadedError("the write is not yet visible; retry"))) : polled;
  for (const Callback& callback : overdue) callback(late);
}

}  // namespace tocsin::audit
