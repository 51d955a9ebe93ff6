// Reading Twilio's answers to a POST. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/time.h"
#include "tocsin/v1/records.pb.h"

namespace tocsin::twilio {

// An answer that was read to its end.
struct Answer {
  unsigned http_status = 0;
  std::string body;
  std::optional<Micros> retry_after;
};

// What the answer says of the POST: 2xx with a SID: accepted; 429 and the codes of a full queue:
// rate limited; other 4xx: refused; all else (5xx, 408, 2xx that names no SID, redirections): in
// doubt.
v1::Receipt ReceiptOf(const Answer& answer);

// Retry-After (RFC 9110, 10.2.3): seconds, or a date, which `now` turns into a wait. Nothing for
// other texts; at most kMaxRetryAfter, never negative.
std::optional<Micros> ParseRetryAfter(std::string_view text, WallTime now);

}  // namespace tocsin::twilio
