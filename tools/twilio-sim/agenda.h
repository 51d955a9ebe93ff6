// What is to be looked at next: instants of numbered things, the nearest first, of two at the same
// instant the one that is older.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <vector>

#include "common/base/time.h"

namespace tocsin::sim {

// A thing may have several entries; what has become of it meanwhile is its holder's to see.
class Agenda {
 public:
  struct Entry {
    WallTime due;
    std::uint64_t number;
    bool operator>(const Entry& other) const {
      return due != other.due ? due > other.due : number > other.number;
    }
  };

  void Plan(WallTime due, std::uint64_t number) { entries_.push({due, number}); }
  std::optional<WallTime> NextDue() const {
    if (entries_.empty()) return std::nullopt;
    return entries_.top().due;
  }
  // The nearest entry, if its instant has come.
  std::optional<Entry> TakeDue(WallTime now) {
    if (entries_.empty() || entries_.top().due > now) return std::nullopt;
    const Entry nearest = entries_.top();
    entries_.pop();
    return nearest;
  }
  void Clear() { entries_ = {}; }

 private:
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> entries_;
};

}  // namespace tocsin::sim
