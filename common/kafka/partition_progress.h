// Progress of one assigned partition: which records are in flight and which are completed.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "common/base/time.h"
#include "common/kafka/offset_tracker.h"

namespace tocsin::kafka {

// Belongs to one assignment of the partition: the next one gets a new object, so that a late
// completion has no effect on it. Shared by the polling thread and the threads that complete
// records. Thread-safe.
class PartitionProgress {
 public:
  bool Begin(std::int64_t offset, WallTime append_time);
  std::optional<std::int64_t> CommitOffset() const;
  std::optional<WallTime> OldestUncompleted() const;

  // Called by Completion.
  void AddInFlight();
  void Complete(std::int64_t offset);  // removes it from those in flight
  void Abandon();                      // the same, without completing the record

  size_t InFlight() const;             // existing Completion objects
  bool WaitIdle(SteadyTime deadline);  // until none is in flight; false at the deadline

  void MarkLost() { lost_ = true; }
  bool Lost() const { return lost_; }

 private:
  void RemoveInFlight();  // under mutex_

  mutable std::mutex mutex_;
  std::condition_variable idle_;
  OffsetTracker tracker_;
  size_t in_flight_ = 0;
  std::atomic<bool> lost_{false};
};

// Completes one record when it is called: the offset may be committed as soon as all lower ones
// may. If it is destroyed without a call, the offset and all higher ones stay uncommitted: the
// records are delivered again after the next rebalance or restart. Movable. One object is used by
// one thread at a time.
class Completion {
 public:
  Completion() = default;
  Completion(std::shared_ptr<PartitionProgress> progress, std::int64_t offset);
  Completion(Completion&& other) noexcept;
  Completion& operator=(Completion&& other) noexcept;
  ~Completion();

  // Only the first call has an effect, and only while the partition is assigned to this member.
  void operator()();

  // The partition was assigned to another member, which gets the record as well: work on it that
  // has not started should not start.
  bool Lost() const { return progress_ && progress_->Lost(); }

 private:
  std::shared_ptr<PartitionProgress> progress_;
  std::int64_t offset_ = 0;
};

}  // namespace tocsin::kafka
