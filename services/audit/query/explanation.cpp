#include "services/audit/query/explanation.h"

#include "common/base/error.h"
#include "common/domain/plan/plan.h"
#include "common/twilio/error_codes.h"

namespace tocsin::audit {

std::string_view ExplainReason(std::string_view reason) {
  // What stops attempts without being an error.
  if (reason == kAcknowledgedReason) return "alert was acknowledged";
  if (reason == kGoalReachedReason) return "goal of the plan was reached";
  if (reason == kGoalMissedReason) return "goal of the plan was not reached in time";
  if (reason == kPersonDoneReason) return "person has acknowledged or declined the alert";
  const auto code = ErrorCodeNamed(reason);
  if (!code) return {};
  switch (*code) {
    case ErrorCode::kOptedOut: return "recipient has opted out";
    case ErrorCode::kExpired: return "expired";
    case ErrorCode::kCancelled: return "cancelled";
    case ErrorCode::kInDoubt: return "not known whether Twilio accepted it";
    case ErrorCode::kNotReceived: return "Twilio never received it";
    case ErrorCode::kRetriesExhausted: return "retries exhausted";
    case ErrorCode::kTwilioApiError: return "refused or not delivered by Twilio";
    case ErrorCode::kNoRoute: return "no sender for this number";
    case ErrorCode::kSmsDisabled: return "SMS is disabled";
    case ErrorCode::kVoiceDisabled: return "voice is disabled";
    case ErrorCode::kCredentialsMissing: return "no credentials for the Twilio account";
    case ErrorCode::kInsufficientBalance: return "insufficient balance";
    case ErrorCode::kRateLimitExceeded: return "rate limit exceeded";
    case ErrorCode::kIdempotencyConflict: return "idempotency key was used for another request";
    case ErrorCode::kDataCorrupted: return "record could not be decrypted";
    default: return {};
  }
}

std::string Explain(std::int32_t provider_code, std::string_view reason) {
  if (provider_code != 0)
    if (const twilio::ErrorCodeInfo& info = twilio::Describe(provider_code); info.code != 0)
      return std::string(info.reason);
  return std::string(ExplainReason(reason));
}

}  // namespace tocsin::audit
