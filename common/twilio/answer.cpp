#include "common/twilio/answer.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "common/base/error.h"
#include "common/domain/twilio_errors.h"
#include "common/twilio/rest.h"
#include "common/twilio/webhook.h"

namespace tocsin::twilio {
namespace {

using nlohmann::json;

constexpr unsigned kRequestTimeout = 408;
constexpr unsigned kTooManyRequests = 429;

std::string TextOf(const json& object, const char* member) {
  const auto found = object.find(member);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

int CodeOf(const json& object) {
  const auto found = object.find("code");
  if (found == object.end() || !found->is_number_integer()) return 0;
  const auto code = found->get<std::int64_t>();
  return code > 0 && code < 1'000'000 ? static_cast<int>(code) : 0;
}

std::uint32_t SegmentsOf(const json& object) {  // a decimal number as text; "0" while not known
  const std::string text = TextOf(object, "num_segments");
  std::uint32_t segments = 0;
  std::from_chars(text.data(), text.data() + text.size(), segments);
  return segments;
}

void SetOutcome(v1::Receipt& receipt, v1::ReceiptOutcome outcome, ErrorCode reason) {
  receipt.set_outcome(outcome);
  receipt.set_reason(std::string(TraitsOf(reason).name));
}

void ReadAcceptance(const json& object, v1::Receipt& receipt) {
  const std::string sid = TextOf(object, "sid");
  if (!IsSid(sid, "SM") && !IsSid(sid, "MM") && !IsSid(sid, "CA"))
    return SetOutcome(receipt, v1::RECEIPT_OUTCOME_IN_DOUBT, ErrorCode::kInDoubt);
  receipt.set_outcome(v1::RECEIPT_OUTCOME_ACCEPTED);
  receipt.set_provider_sid(sid);
  receipt.set_segments(SegmentsOf(object));
}

void ReadRefusal(unsigned http_status, v1::Receipt& receipt) {
  const TwilioErrorClass error_class = Describe(receipt.provider_code()).error_class;
  if (http_status == kTooManyRequests || error_class == TwilioErrorClass::kRateLimitBefore)
    return SetOutcome(receipt, v1::RECEIPT_OUTCOME_RATE_LIMITED, ErrorCode::kRateLimitExceeded);
  if (http_status == kRequestTimeout || error_class == TwilioErrorClass::kInDoubt)
    return SetOutcome(receipt, v1::RECEIPT_OUTCOME_IN_DOUBT, ErrorCode::kInDoubt);
  SetOutcome(
      receipt, v1::RECEIPT_OUTCOME_REFUSED,
      error_class == TwilioErrorClass::kOptOut ? ErrorCode::kOptedOut : ErrorCode::kTwilioApiError);
}

}  // namespace

v1::Receipt ReceiptOf(const Answer& answer) {
  v1::Receipt receipt;
  receipt.set_http_status(answer.http_status);
  if (answer.retry_after) receipt.set_retry_after_us(answer.retry_after->count());
  json object = json::parse(answer.body, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) object = json::object();  // a proxy's page
  const unsigned family = answer.http_status / 100;
  if (family == 2) {
    ReadAcceptance(object, receipt);
    return receipt;
  }
  receipt.set_provider_code(CodeOf(object));
  if (family == 4) {
    ReadRefusal(answer.http_status, receipt);
  } else {
    SetOutcome(receipt, v1::RECEIPT_OUTCOME_IN_DOUBT, ErrorCode::kInDoubt);
  }
  return receipt;
}

std::optional<Micros> ParseRetryAfter(std::string_view text, WallTime now) {
  std::int64_t seconds = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  const bool is_number = end == text.data() + text.size() && !text.empty();
  if (is_number && fault == std::errc::result_out_of_range) return kMaxRetryAfter;
  Micros wait = std::chrono::seconds(
      std::clamp<std::int64_t>(seconds, 0, std::chrono::seconds(kMaxRetryAfter).count()));
  if (!is_number || fault != std::errc()) {
    const std::time_t date = curl_getdate(std::string(text).c_str(), nullptr);
    if (date < 0) return std::nullopt;
    wait = WallTime(std::chrono::seconds(date)) - now;
  }
  return std::clamp<Micros>(wait, Micros(0), kMaxRetryAfter);
}

}  // namespace tocsin::twilio
