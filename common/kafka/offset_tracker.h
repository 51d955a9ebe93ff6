// Which records of a partition are completed, and which offset may be committed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "common/base/time.h"

namespace tocsin::kafka {

// Records complete in any order; only an offset below which all are completed may be committed. Not
// safe to share between threads. Memory grows with the distance between the oldest uncompleted
// record and the newest one, which the owner bounds by pausing the partition.
class OffsetTracker {
 public:
  // The record at `offset` was read. Offsets increase from call to call; skipped ones (compaction,
  // transaction markers) count as completed. Returns false, and changes nothing, for an offset that
  // does not increase: the record was read before.
  bool Begin(std::int64_t offset, WallTime append_time);

  // The record is completed. Returns false, and changes nothing, if it was never read or is
  // completed already.
  bool Complete(std::int64_t offset);

  // The offset to commit: that of the oldest uncompleted record, otherwise the one after the newest
  // record. Nothing before the first Begin(). Never decreases.
  std::optional<std::int64_t> CommitOffset() const;

  // Number of records that are read and not completed.
  size_t Uncompleted() const { return uncompleted_; }

  // When the oldest uncompleted record was appended; nothing without one.
  std::optional<WallTime> OldestUncompleted() const;

 private:
  struct Entry {
    std::int64_t offset;
    WallTime append_time;
    bool completed;
  };
  std::deque<Entry> entries_;  // by offset; the first one is not completed
  std::optional<std::int64_t> newest_;
  size_t uncompleted_ = 0;
};

}  // namespace tocsin::kafka
