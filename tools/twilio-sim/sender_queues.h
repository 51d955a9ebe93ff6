// How fast a sender sends and how much waits behind it. Without a limit a sender is as fast as it
// likes, which is the default.
#pragma once

#include <string>
#include <unordered_map>

#include "common/base/time.h"

namespace tocsin::sim {

struct SenderLimit {
  double segments_per_second = 1.0;  // > 0
  double queue_segments = 36000.0;   // as much may wait; 0: every message is refused
};

class SenderQueues {
 public:
  void Limit(const std::string& sender, SenderLimit limit) {
    queues_[sender] = {limit, WallTime()};
  }
  void Clear() { queues_.clear(); }

  // No room for `segments` more at `now`.
  bool Full(const std::string& sender, unsigned segments, WallTime now) const;
  // The instant from `earliest` on at which the sender gets to a message of so many segments.
  WallTime Reserve(const std::string& sender, unsigned segments, WallTime earliest);

 private:
  struct Queue {
    SenderLimit limit;
    WallTime free_at;
  };
  std::unordered_map<std::string, Queue> queues_;
};

}  // namespace tocsin::sim
