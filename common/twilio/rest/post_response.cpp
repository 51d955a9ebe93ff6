#include "common/twilio/rest/post_response.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "common/base/error.h"
#include "common/twilio/error_codes.h"
#include "common/twilio/rest/json_fields.h"
#include "common/twilio/rest/rest_client.h"
#include "common/twilio/sid.h"

namespace tocsin::twilio {
namespace {

using nlohmann::json;

constexpr unsigned kRequestTimeout = 408;
constexpr unsigned kTooManyRequests = 429;
constexpr std::int32_t kMaxSegments = 100;

void SetOutcome(records::v1::AttemptResult& result, records::v1::AttemptOutcome outcome,
                ErrorCode reason) {
  result.set_outcome(outcome);
  result.set_reason(std::string(TraitsOf(reason).name));
}

void ParseAcceptance(const json& object, records::v1::AttemptResult& result) {
  const std::string sid = StringMember(object, "sid");
  if (!IsMessageSid(sid) && !IsCallSid(sid))
    return SetOutcome(result, records::v1::ATTEMPT_OUTCOME_IN_DOUBT, ErrorCode::kInDoubt);
  result.set_outcome(records::v1::ATTEMPT_OUTCOME_ACCEPTED);
  result.set_provider_sid(sid);
  result.set_segment_count(NumberMember(object, "num_segments", kMaxSegments, 0));
}

void ParseRefusal(unsigned http_status, records::v1::AttemptResult& result) {
  const records::v1::ProviderErrorClass error_class = Describe(result.provider_code()).error_class;
  result.set_error_class(error_class);
  if (http_status == kTooManyRequests ||
      error_class == records::v1::PROVIDER_ERROR_CLASS_RATE_LIMIT_BEFORE)
    return SetOutcome(result, records::v1::ATTEMPT_OUTCOME_RATE_LIMITED,
                      ErrorCode::kRateLimitExceeded);
  if (http_status == kRequestTimeout || error_class == records::v1::PROVIDER_ERROR_CLASS_IN_DOUBT)
    return SetOutcome(result, records::v1::ATTEMPT_OUTCOME_IN_DOUBT, ErrorCode::kInDoubt);
  SetOutcome(result, records::v1::ATTEMPT_OUTCOME_REFUSED,
             error_class == records::v1::PROVIDER_ERROR_CLASS_OPT_OUT ? ErrorCode::kOptedOut
                                                                      : ErrorCode::kTwilioApiError);
}

}  // namespace

records::v1::AttemptResult AttemptResultOf(const HttpResponse& response) {
  records::v1::AttemptResult result;
  result.set_http_status(static_cast<std::int32_t>(response.http_status));
  if (response.retry_after) result.set_retry_after_us(response.retry_after->count());
  // Without members if it is a proxy's error page.
  const json object = ParseMembers(response.body, {"sid", "num_segments", "code"});
  const unsigned family = response.http_status / 100;
  if (family == 2) {
    ParseAcceptance(object, result);
    return result;
  }
  result.set_provider_code(ErrorCodeMember(object, "code"));
  if (family == 4) {
    ParseRefusal(response.http_status, result);
  } else {
    SetOutcome(result, records::v1::ATTEMPT_OUTCOME_IN_DOUBT, ErrorCode::kInDoubt);
  }
  return result;
}

std::optional<Micros> ParseRetryAfter(std::string_view text, WallTime now) {
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  const bool is_number = end == text.data() + text.size() && !text.empty();
  if (is_number && error == std::errc::result_out_of_range) return kMaxRetryAfter;
  Micros wait = std::chrono::seconds(
      std::clamp<std::int64_t>(seconds, 0, std::chrono::seconds(kMaxRetryAfter).count()));
  if (!is_number || error != std::errc()) {
    const std::time_t date = curl_getdate(std::string(text).c_str(), nullptr);
    if (date < 0) return std::nullopt;
    wait = WallTime(std::chrono::seconds(date)) - now;
  }
  return std::clamp<Micros>(wait, Micros(0), kMaxRetryAfter);
}

}  // namespace tocsin::twilio
