// Interprets Twilio's response to a POST. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/time.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin::twilio {

// A complete HTTP response.
struct HttpResponse {
  unsigned http_status = 0;
  std::string body;
  std::optional<Micros> retry_after;
};

// The result that the response proves. 2xx with a SID: ACCEPTED. 429 and the error codes of a full
// queue: RATE_LIMITED. Other 4xx: REFUSED. Everything else (5xx, 408, redirections, 2xx without a
// SID): IN_DOUBT.
records::v1::AttemptResult AttemptResultOf(const HttpResponse& response);

// Parses Retry-After (RFC 9110, 10.2.3), seconds or a date, as a wait from `now`: 0 to
// kMaxRetryAfter. Nothing if it is neither.
std::optional<Micros> ParseRetryAfter(std::string_view text, WallTime now);

}  // namespace tocsin::twilio
