#include "services/ingress/webhooks/call_script.h"

#include "common/ports/sealed_content.h"
#include "common/twilio/twiml/twiml.h"
#include "common/twilio/webhooks/callback_url.h"

namespace tocsin::ingress {
namespace {

// A call is at most a day in Twilio's queue and lasts at most four hours.
constexpr std::chrono::hours kMaxTokenAge{48};

twilio::RepeatReason WhyAgain(const ScriptRequest& request) {
  if (request.round == 0) return twilio::RepeatReason::kNone;
  if (request.key == CallKey::kRepeat) return twilio::RepeatReason::kRequested;
  return request.key == CallKey::kNone ? twilio::RepeatReason::kNoKey
                                       : twilio::RepeatReason::kUnknownKey;
}

}  // namespace

std::optional<ScriptRequest> ScriptRequestOf(const Route& route, const http::Request& request,
                                             const records::v1::WebhookRecord& record,
                                             const TraceContext& trace, const Topics& topics,
                                             WallTime now) {
  const auto age = now - FromUnixMicros(record.token_time_us());
  if (!IsDuringCall(route.kind) || !record.has_attempt() || age > kMaxTokenAge ||
      !topics.IsLaneOf(v1::CHANNEL_VOICE, record.work().topic()))
    return std::nullopt;
  const bool first = route.kind == records::v1::WEBHOOK_KIND_VOICE_TWIML;
  return ScriptRequest{.token = std::string(route.token),
                       .trace = trace,
                       .key = first ? CallKey::kNone : CallKeyOf(record.provider_status()),
                       .round = first ? 0 : RoundOf(request.target)};
}

unsigned RoundOf(std::string_view target) {
  const size_t at = target.find(twilio::kRoundQuery);
  if (at == std::string_view::npos || target.size() != at + twilio::kRoundQuery.size() + 1)
    return kMaxCallRounds;
  const char digit = target.back();
  if (digit < '1' || digit > '0' + static_cast<char>(kMaxCallRounds)) return kMaxCallRounds;
  return static_cast<unsigned>(digit - '0');
}

bool NeedsText(const ScriptRequest& request) {
  return request.round == 0 || ReplyTo(request.key, request.round) == CallReply::kAgain;
}

Result<std::string> Script(const ScriptRequest& request, const records::v1::WorkRecord& work,
                           Vault& vault, std::string_view public_base_url) {
  if (!NeedsText(request)) return twilio::ConfirmationTwiml(work.voice(), request.key);
  TOCSIN_TRY(const records::v1::Content content, OpenContent(vault, work));
  return twilio::AlertTwiml(
      work.voice(), content.text(),
      twilio::GatherUrl(public_base_url, request.token, request.trace, request.round + 1),
      WhyAgain(request));
}

}  // namespace tocsin::ingress
