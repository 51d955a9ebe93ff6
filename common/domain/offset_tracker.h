// Which records of a partition are finished, and how far a restart may skip them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "common/base/time.h"

namespace tocsin {

// Records finish in any order; only the prefix without a gap may be committed. Not safe to share
// between threads. Memory grows with the distance between the oldest unfinished record and the
// newest, which its owner bounds by pausing.
class OffsetTracker {
 public:
  // `offset` was handed out. Offsets rise from call to call; numbers left out (compaction, markers
  // of transactions) count as finished. Returns false, and changes nothing, for one that does not
  // rise: it was handed out before.
  bool Begin(std::int64_t offset, WallTime append_time);

  // Returns false, and changes nothing, when `offset` is not open: never begun, or finished before.
  bool Finish(std::int64_t offset);

  // The position to commit: the oldest open offset, else the one after the newest begun. Nothing
  // before the first Begin(). Never falls.
  std::optional<std::int64_t> Prefix() const;

  // Begun and not finished.
  size_t Open() const { return open_; }

  // When the oldest open record was appended; nothing when none is open.
  std::optional<WallTime> OldestOpen() const;

 private:
  struct Entry {
    std::int64_t offset;
    WallTime append_time;
    bool finished;
  };
  std::deque<Entry> entries_;  // rising offsets; the front is open
  std::optional<std::int64_t> newest_;
  size_t open_ = 0;
};

}  // namespace tocsin
