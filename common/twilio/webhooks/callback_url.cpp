#include "common/twilio/webhooks/callback_url.h"

#include <algorithm>

#include "common/twilio/webhooks/attempt_token.h"

namespace tocsin::twilio {
namespace {

constexpr auto kPriorities = {v1::PRIORITY_EMERGENCY, v1::PRIORITY_HIGH, v1::PRIORITY_NORMAL,
                              v1::PRIORITY_BULK};

// The priority of the lane; PRIORITY_UNSPECIFIED for other topics.
v1::Priority PriorityOfLane(const Topics& topics, v1::Channel channel, std::string_view topic) {
  const auto found = std::ranges::find_if(
      kPriorities, [&](v1::Priority priority) { return topics.Lane(channel, priority) == topic; });
  return found == kPriorities.end() ? v1::PRIORITY_UNSPECIFIED : *found;
}

}  // namespace

Result<std::string> AttemptTokenFor(const Dispatch& dispatch, v1::Channel channel,
                                    const Topics& topics, Vault& vault, WallTime now) {
  return MakeAttemptToken(vault,
                          {.attempt = dispatch.attempt,
                           .channel = channel,
                           .priority = PriorityOfLane(topics, channel, dispatch.work.topic()),
                           .partition = dispatch.work.partition(),
                           .offset = dispatch.work.offset(),
                           .time = now});
}

std::string CallbackUrl(std::string_view base, std::string_view path, std::string_view token,
                        const TraceContext& trace, std::string_view query) {
  while (base.ends_with('/')) base.remove_suffix(1);
  std::string url(base);
  url.append(path).append(token).append(kTraceQuery).append(trace.Text());
  return url.append(query).append(kCallbackOverrides);
}

std::string GatherUrl(std::string_view base, std::string_view token, const TraceContext& trace,
                      unsigned round) {
  return CallbackUrl(base, "/twilio/voice/gather/", token, trace,
                     std::string(kRoundQuery) + std::to_string(round));
}

}  // namespace tocsin::twilio
