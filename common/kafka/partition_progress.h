// What one assignment of a partition has handed out and what of it is finished.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "common/base/time.h"
#include "common/domain/offset_tracker.h"

namespace tocsin::kafka {

// Shared by the polling thread and whoever finishes records. A partition that comes back gets a new
// one, so what is finished late for an old assignment moves nothing. Thread-safe.
class PartitionProgress {
 public:
  bool Begin(std::int64_t offset, WallTime append_time);
  std::optional<std::int64_t> Prefix() const;
  std::optional<WallTime> OldestOpen() const;
  size_t Open() const;  // begun and not finished, those not yet handed out included

  void HandOut();                      // a Done was made
  void Finish(std::int64_t offset);    // a Done was called
  void Drop();                         // a Done was dropped unfinished
  size_t InFlight() const;             // Done objects alive
  bool WaitIdle(SteadyTime deadline);  // until none is; false when the deadline came first

  void Lose() { lost_ = true; }
  bool Lost() const { return lost_; }

 private:
  void Return();  // under mutex_

  mutable std::mutex mutex_;
  std::condition_variable idle_;
  OffsetTracker tracker_;
  size_t in_flight_ = 0;
  std::atomic<bool> lost_{false};
};

// The receipt for one record. Calling it says that the record needs no second look: its offset may
// be committed, once those before it may. Dropping it leaves the offset uncommitted, and so all
// that follow: the records come again after the next rebalance or restart. Movable; a single one is
// used by one thread at a time, different ones by any.
class Done {
 public:
  Done() = default;
  Done(std::shared_ptr<PartitionProgress> progress, std::int64_t offset);
  Done(Done&& other) noexcept;
  Done& operator=(Done&& other) noexcept;
  ~Done();

  // Once; further calls do nothing, and so does the first after the partition went to another
  // member.
  void operator()();

  // The partition went to another member, who gets the record too: work not yet begun is better
  // left.
  bool Lost() const { return progress_ && progress_->Lost(); }

 private:
  std::shared_ptr<PartitionProgress> progress_;
  std::int64_t offset_ = 0;
};

}  // namespace tocsin::kafka
