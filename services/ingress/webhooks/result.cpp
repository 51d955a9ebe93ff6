#include "services/ingress/webhooks/result.h"

#include <utility>

namespace tocsin::ingress {
namespace {

int StatusOf(WebhookResult result) {
  switch (result) {
    case WebhookResult::kPublished: return 204;
    case WebhookResult::kUnknownPath: return 404;
    case WebhookResult::kWrongMethod: return 405;
    case WebhookResult::kUnparsable: return 400;
    case WebhookResult::kWrongType: return 415;
    case WebhookResult::kUnsigned:
    case WebhookResult::kInvalidSignature:
    case WebhookResult::kChannelDisabled:
    case WebhookResult::kUnknownCall: return 403;
    case WebhookResult::kUnavailable: return 503;
  }
  return 500;
}

}  // namespace

std::string_view NameOf(WebhookResult result) {
  switch (result) {
    case WebhookResult::kPublished: return "published";
    case WebhookResult::kUnknownPath: return "unknown_path";
    case WebhookResult::kWrongMethod: return "wrong_method";
    case WebhookResult::kUnparsable: return "unparsable";
    case WebhookResult::kWrongType: return "wrong_type";
    case WebhookResult::kUnsigned: return "unsigned";
    case WebhookResult::kInvalidSignature: return "invalid_signature";
    case WebhookResult::kChannelDisabled: return "channel_disabled";
    case WebhookResult::kUnknownCall: return "unknown_call";
    case WebhookResult::kUnavailable: return "unavailable";
  }
  return "unknown";
}

http::Response ErrorResponse(WebhookResult result) {
  http::Response response{.status = StatusOf(result)};
  if (result == WebhookResult::kWrongMethod) response.headers = {{"Allow", "POST"}};
  if (result == WebhookResult::kUnavailable) response.headers = {{"Retry-After", "1"}};
  return response;
}

http::Response PublishedResponse(records::v1::WebhookKind kind) {
  if (kind == records::v1::WEBHOOK_KIND_SMS_INBOUND) return TwimlResponse("<Response/>");
  return {.status = StatusOf(WebhookResult::kPublished)};
}

http::Response TwimlResponse(std::string twiml) {
  return {.status = 200, .content_type = "text/xml", .body = std::move(twiml)};
}

}  // namespace tocsin::ingress
