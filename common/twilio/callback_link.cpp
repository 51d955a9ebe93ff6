#include "common/twilio/callback_link.h"

#include <algorithm>

#include "common/twilio/try_token.h"

namespace tocsin::twilio {
namespace {

constexpr auto kClasses = {v1::ALERT_CLASS_EMERGENCY, v1::ALERT_CLASS_HIGH, v1::ALERT_CLASS_NORMAL,
                           v1::ALERT_CLASS_BULK};

// The class whose lane the topic is; unspecified for other topics.
v1::AlertClass ClassOfLane(const Topics& topics, v1::Channel channel, std::string_view topic) {
  const auto found = std::ranges::find_if(kClasses, [&](v1::AlertClass alert_class) {
    return topics.Lane(channel, alert_class) == topic;
  });
  return found == kClasses.end() ? v1::ALERT_CLASS_UNSPECIFIED : *found;
}

}  // namespace

Result<std::string> TokenFor(const Dispatch& dispatch, v1::Channel channel, const Topics& topics,
                             Vault& vault, WallTime now) {
  return MakeTryToken(vault, {.name = dispatch.name,
                              .channel = channel,
                              .alert_class = ClassOfLane(topics, channel, dispatch.work.topic()),
                              .partition = dispatch.work.partition(),
                              .offset = dispatch.work.offset(),
                              .time = now});
}

std::string CallbackLink(std::string_view base, std::string_view path, std::string_view token,
                         const TraceContext& trace, std::string_view query) {
  while (base.ends_with('/')) base.remove_suffix(1);
  std::string url(base);
  url.append(path).append(token).append(kTraceQuery).append(trace.Text());
  return url.append(query).append(kCallbackOverrides);
}

std::string KeysLink(std::string_view base, std::string_view token, const TraceContext& trace,
                     unsigned round) {
  return CallbackLink(base, "/twilio/voice/gather/", token, trace,
                      std::string(kRoundQuery) + std::to_string(round));
}

}  // namespace tocsin::twilio
