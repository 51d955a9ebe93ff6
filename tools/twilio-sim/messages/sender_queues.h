// Rate limits and queues of senders and of the calls of accounts. No limits by default.
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
  double queue_segments = 36000.0;   // maximum of the queue; 0: everything is refused
};

// Twilio's documented limit of a sender, or of the calls of an account if `sender` is its SID.
SenderLimit TwilioLimit(std::string_view sender);

class SenderQueues {
 public:
  // `use_twilio_limits`: Twilio's limits apply to senders without a limit of their own.
  explicit SenderQueues(bool use_twilio_limits = false)
      : initial_use_twilio_limits_(use_twilio_limits), use_twilio_limits_(use_twilio_limits) {}

  void Limit(const std::string& sender, SenderLimit limit) {
    queues_[sender] = {limit, WallTime()};
  }
  void UseTwilioLimits(bool use) { use_twilio_limits_ = use; }
  void Clear();

  // Whether `segments` more exceed the queue at `now`.
  bool Full(const std::string& sender, unsigned segments, WallTime now) const;
  // The time, `earliest` or later, at which the sender sends a message of `segments` segments.
  WallTime Reserve(const std::string& sender, unsigned segments, WallTime earliest);

 private:
  struct Queue {
    SenderLimit limit;
    WallTime free_at;
  };

  bool initial_use_twilio_limits_;
  bool use_twilio_limits_;
  std::unordered_map<std::string, Queue> queues_;  // one per sender and account
};

}  // namespace tocsin::sim
