#include "common/kafka/offset_tracker.h"

#include <algorithm>

namespace tocsin::kafka {

bool OffsetTracker::Begin(std::int64_t offset, WallTime append_time) {
  if (newest_ && offset <= *newest_) return false;
  newest_ = offset;
  entries_.push_back({.offset = offset, .append_time = append_time, .completed = false});
  ++uncompleted_;
  return true;
}

bool OffsetTracker::Complete(std::int64_t offset) {
  const auto entry = std::lower_bound(
      entries_.begin(), entries_.end(), offset,
      [](const Entry& candidate, std::int64_t wanted) { return candidate.offset < wanted; });
  if (entry == entries_.end() || entry->offset != offset || entry->completed) return false;
  entry->completed = true;
  --uncompleted_;
  while (!entries_.empty() && entries_.front().completed) entries_.pop_front();
  return true;
}

std::optional<std::int64_t> OffsetTracker::CommitOffset() const {
  if (!newest_) return std::nullopt;
  return entries_.empty() ? *newest_ + 1 : entries_.front().offset;
}

std::optional<WallTime> OffsetTracker::OldestUncompleted() const {
  if (entries_.empty()) return std::nullopt;
  return entries_.front().append_time;
}

}  // namespace tocsin::kafka
