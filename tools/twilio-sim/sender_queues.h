// How fast a sender sends, or an account calls, and how much waits behind it. Without a limit it is
// as fast as it likes, which is the default.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/base/time.h"

namespace tocsin::sim {

// An account's calls count as one segment each.
struct SenderLimit {
  double segments_per_second = 1.0;  // > 0
  double queue_segments = 36000.0;   // as much may wait; 0: everything is refused
};

// Twilio's own limit of a sender, or of an account's calls (an account SID), as documented.
SenderLimit TwiliosLimit(std::string_view sender);

class SenderQueues {
 public:
  // With `twilios`, a sender that has no limit of its own has Twilio's.
  explicit SenderQueues(bool twilios = false) : at_start_(twilios), twilios_(twilios) {}

  void Limit(const std::string& sender, SenderLimit limit) {
    queues_[sender] = {limit, WallTime()};
  }
  void UseTwilios(bool use) { twilios_ = use; }
  void Clear();

  // No room for `segments` more at `now`.
  bool Full(const std::string& sender, unsigned segments, WallTime now) const;
  // The instant from `earliest` on at which the sender gets to a message of so many segments.
  WallTime Reserve(const std::string& sender, unsigned segments, WallTime earliest);

 private:
  struct Queue {
    SenderLimit limit;
    WallTime free_at;
  };

  bool at_start_;
  bool twilios_;
  std::unordered_map<std::string, Queue> queues_;  // as many as there are senders and accounts
};

}  // namespace tocsin::sim
