// Due times of numbered objects, earliest first; for equal times, the lowest number first.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <vector>

#include "common/base/time.h"

namespace tocsin::sim {

// An object may have several entries. The caller checks whether an entry is still valid.
class Schedule {
 public:
  struct Entry {
    WallTime due;
    std::uint64_t number;
    bool operator>(const Entry& other) const {
      return due != other.due ? due > other.due : number > other.number;
    }
  };

  void Add(WallTime due, std::uint64_t number) { entries_.push({due, number}); }
  std::optional<WallTime> NextDue() const {
    if (entries_.empty()) return std::nullopt;
    return entries_.top().due;
  }
  // Removes and returns the earliest entry if it is due.
  std::optional<Entry> PopDue(WallTime now) {
    if (entries_.empty() || entries_.top().due > now) return std::nullopt;
    const Entry earliest = entries_.top();
    entries_.pop();
    return earliest;
  }
  void Clear() { entries_ = {}; }

 private:
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> entries_;
};

}  // namespace tocsin::sim
