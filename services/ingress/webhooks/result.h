// How a request on Twilio's port ends, and the HTTP response that follows.
#pragma once

#include <string_view>

#include "common/http/message.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin::ingress {

// For metrics; every value is counted from the start.
enum class WebhookResult {
  kPublished,         // 2xx: on disk
  kUnknownPath,       // 404
  kWrongMethod,       // 405
  kUnparsable,        // 400: a form that cannot be decoded
  kWrongType,         // 415
  kUnsigned,          // 403: no signature
  kInvalidSignature,  // 403: not signed by a token of the registry
  kChannelDisabled,   // 403: the channel is disabled, or no account has credentials
  kUnknownCall,       // 403: a request of a call without a valid or recent attempt token
  kUnavailable,       // 503: Kafka or the keys did not respond; Twilio retries
};
constexpr int kWebhookResults = 10;

std::string_view NameOf(WebhookResult result);  // lower_snake_case: "published"

// For all results but kPublished.
http::Response ErrorResponse(WebhookResult result);

// Without TwiML for a call: 204, or an empty TwiML document, which sends no reply, to a message.
http::Response PublishedResponse(records::v1::WebhookKind kind);

// 200 with TwiML.
http::Response TwimlResponse(std::string twiml);

}  // namespace tocsin::ingress
