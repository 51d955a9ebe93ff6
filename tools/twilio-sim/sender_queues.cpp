#include "tools/twilio-sim/sender_queues.h"

#include <algorithm>
#include <chrono>

#include "tools/twilio-sim/opt_out.h"
#include "tools/twilio-sim/sids.h"

namespace tocsin::sim {
namespace {

constexpr double kQueueSeconds = 10 * 3600;      // of messages: ten hours
constexpr double kCallQueueSeconds = 24 * 3600;  // of calls: a day
constexpr double kCalls = 1;                     // a second, of an account
constexpr double kLongCode = 1;                  // segments a second, all of these
constexpr double kTollFree = 3;
constexpr double kShortCode = 100;
constexpr double kOther = 10;  // numbers of other countries, alphanumeric senders

}  // namespace

SenderLimit TwiliosLimit(std::string_view sender) {
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
  twilios_ = at_start_;
}

bool SenderQueues::Full(const std::string& sender, unsigned segments, WallTime now) const {
  const auto found = queues_.find(sender);
  if (found == queues_.end()) return twilios_ && segments > TwiliosLimit(sender).queue_segments;
  const auto& [limit, free_at] = found->second;
  const std::chrono::duration<double> wait = std::max(free_at - now, Micros(0));
  return wait.count() * limit.segments_per_second + segments > limit.queue_segments;
}

WallTime SenderQueues::Reserve(const std::string& sender, unsigned segments, WallTime earliest) {
  auto found = queues_.find(sender);
  if (found == queues_.end()) {
    if (!twilios_) return earliest;
    found = queues_.try_emplace(sender, Queue{TwiliosLimit(sender), WallTime()}).first;
  }
  auto& [limit, free_at] = found->second;
  const WallTime turn = std::max(free_at, earliest);
  const std::chrono::duration<double> takes(segments / limit.segments_per_second);
  free_at = turn + std::chrono::duration_cast<Micros>(takes);
  return turn;
}

}  // namespace tocsin::sim
