#include "tools/twilio-sim/messages/sender_queues.h"

#include <algorithm>
#include <chrono>

#include "tools/twilio-sim/messages/opt_out.h"
#include "tools/twilio-sim/sids.h"

namespace tocsin::sim {
namespace {

constexpr double kQueueSeconds = 10 * 3600;      // of messages: 10 h
constexpr double kCallQueueSeconds = 24 * 3600;  // of calls: 24 h
constexpr double kCalls = 1;                     // calls per second of an account
constexpr double kLongCode = 1;                  // segments per second, also below
constexpr double kTollFree = 3;
constexpr double kShortCode = 100;
constexpr double kOther = 10;  // numbers of other countries, alphanumeric senders

}  // namespace

SenderLimit TwilioLimit(std::string_view sender) {
  if (IsSid(sender, "AC")) return {kCalls, kCalls * kCallQueueSeconds};
  const bool number = sender.starts_with('+');
  const bool short_code =
      !number && sender.find_first_not_of("0123456789") == std::string_view::npos;
  const double rate = IsTollFree(sender)         ? kTollFree
                      : short_code               ? kShortCode
                      : sender.starts_with("+1") ? kLongCode
                                                 : kOther;
  return {rate, rate * kQueueSeconds};
}

void SenderQueues::Clear() {
  queues_.clear();
  use_twilio_limits_ = initial_use_twilio_limits_;
}

bool SenderQueues::Full(const std::string& sender, unsigned segments, WallTime now) const {
  const auto found = queues_.find(sender);
  if (found == queues_.end())
    return use_twilio_limits_ && segments > TwilioLimit(sender).queue_segments;
  const auto& [limit, free_at] = found->second;
  const std::chrono::duration<double> wait = std::max(free_at - now, Micros(0));
  return wait.count() * limit.segments_per_second + segments > limit.queue_segments;
}

WallTime SenderQueues::Reserve(const std::string& sender, unsigned segments, WallTime earliest) {
  auto found = queues_.find(sender);
  if (found == queues_.end()) {
    if (!use_twilio_limits_) return earliest;
    found = queues_.try_emplace(sender, Queue{TwilioLimit(sender), WallTime()}).first;
  }
  auto& [limit, free_at] = found->second;
  const WallTime send_time = std::max(free_at, earliest);
  const std::chrono::duration<double> duration(segments / limit.segments_per_second);
  free_at = send_time + std::chrono::duration_cast<Micros>(duration);
  return send_time;
}

}  // namespace tocsin::sim
