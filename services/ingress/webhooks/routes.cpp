#include "services/ingress/webhooks/routes.h"

#include "common/twilio/webhooks/webhook.h"

namespace tocsin::ingress {
namespace {

constexpr std::string_view kAlias = "/relay/twilio/webhook";

struct Prefix {
  std::string_view path;
  records::v1::WebhookKind kind;
  bool has_token;
};
constexpr Prefix kPrefixes[] = {
    {"/twilio/sms/status", records::v1::WEBHOOK_KIND_SMS_STATUS, true},
    {"/twilio/sms/inbound", records::v1::WEBHOOK_KIND_SMS_INBOUND, false},
    {"/twilio/voice/status", records::v1::WEBHOOK_KIND_VOICE_STATUS, true},
    {"/twilio/voice/gather", records::v1::WEBHOOK_KIND_VOICE_GATHER, true},
    {"/twilio/voice/twiml", records::v1::WEBHOOK_KIND_VOICE_TWIML, true},
};

}  // namespace

std::optional<Route> RouteOf(std::string_view path) {
  if (path == kAlias) return Route{records::v1::WEBHOOK_KIND_UNSPECIFIED, {}};
  for (const Prefix& prefix : kPrefixes) {
    if (path == prefix.path) return Route{prefix.kind, {}};
    if (prefix.has_token && path.starts_with(prefix.path) && path[prefix.path.size()] == '/')
      return Route{prefix.kind, path.substr(prefix.path.size() + 1)};
  }
  return std::nullopt;
}

records::v1::WebhookKind KindOf(const FormFields& fields) {
  if (!twilio::FieldOf(fields, "CallSid").empty()) return records::v1::WEBHOOK_KIND_VOICE_STATUS;
  if (!twilio::FieldOf(fields, "MessageStatus").empty())
    return records::v1::WEBHOOK_KIND_SMS_STATUS;
  if (!twilio::FieldOf(fields, "MessageSid").empty()) return records::v1::WEBHOOK_KIND_SMS_INBOUND;
  return records::v1::WEBHOOK_KIND_UNSPECIFIED;
}

bool IsDuringCall(records::v1::WebhookKind kind) {
  return kind == records::v1::WEBHOOK_KIND_VOICE_GATHER ||
         kind == records::v1::WEBHOOK_KIND_VOICE_TWIML;
}

}  // namespace tocsin::ingress
