// The pages that a recipient sees who opens or uses a link.
#pragma once

#include <string_view>

#include "common/http/message.h"

namespace tocsin::ingress {

// For metrics; every value is counted from the start.
enum class AckLinkResult {
  kShown,                // 200: the page with the button
  kAcknowledged,         // 200: on disk
  kAlreadyAcknowledged,  // 200: by this or another link, key press or request
  kCancelled,            // 409: a cancellation ended the alert
  kInvalidToken,         // 404: malformed, or not made by this installation
  kExpired,              // 410: after the expire time of the alert
  kWrongMethod,          // 405
  kUnavailable,          // 503: Redis or Kafka did not respond; the same request is safe
};
constexpr int kAckLinkResults = 8;

std::string_view NameOf(AckLinkResult result);  // lower_snake_case: "acknowledged"

// HTML without script and without anything from elsewhere. It contains nothing of the alert or of
// the request. It is not stored by caches, not framed, and sends no referrer.
http::Response AckPage(AckLinkResult result);

}  // namespace tocsin::ingress
