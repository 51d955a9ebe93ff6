// Lets requests wait until a record is projected: a client reads its own writes.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/postgres/session.h"
#include "services/audit/projection/positions.h"

namespace tocsin::audit {

constexpr size_t kMaxWaiting = 10'000;                          // at a time
constexpr std::chrono::milliseconds kPositionPollInterval{50};  // while a request waits
constexpr std::chrono::milliseconds kPositionPollTimeout{1'000};
constexpr std::chrono::seconds kMaxWait{30};  // that a client can ask for
constexpr std::chrono::seconds kDefaultWait{5};

// Knows the positions of this process, and polls the table for those of other replicas while a
// request waits. One thread for all requests. Thread-safe.
class ProjectionWaiter {
 public:
  // Called once, on any thread, also by Wait() itself; must not block. Ok: the record is projected.
  // Else kOverloaded at the deadline or if too many requests wait, kPostgresUnavailable if the
  // table cannot be read, kShuttingDown.
  using Callback = std::function<void(const Status& visible)>;
  using WaitId = std::uint64_t;

  ProjectionWaiter(postgres::Options database, std::string cluster_id);
  ~ProjectionWaiter();  // as Close()
  ProjectionWaiter(const ProjectionWaiter&) = delete;
  ProjectionWaiter& operator=(const ProjectionWaiter&) = delete;

  // Calls back when the record at `offset` is projected, or at `deadline`; up to a poll later if
  // the table is slow.
  WaitId Wait(const PartitionKey& partition, std::int64_t offset, SteadyTime deadline,
              Callback callback);

  // True: the callback will not be called any more. False: it was or is being called.
  bool Forget(WaitId wait_id);

  // The offsets that this process reads next. Lower ones than before if PostgreSQL lost commits.
  void Advance(const Positions& next);

  // Ends all waits, also later ones, with kShuttingDown.
  void Close();

  size_t waiting() const;

 private:
  struct Waiter {
    PartitionKey partition;
    std::int64_t offset;
    SteadyTime deadline;
    Callback callback;
  };

  void Run();
  Status PollPositions();
  void EndProjected();
  bool IsProjectedLocked(const PartitionKey& partition, std::int64_t offset) const;
  void EndOverdue(const Status& polled);

  const std::string cluster_id_;
  postgres::Session session_;  // for the thread
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Positions next_;
  std::map<WaitId, Waiter> waiters_;
  WaitId last_wait_id_ = 0;
  bool closed_ = false;
  std::thread thread_;
};

}  // namespace tocsin::audit
