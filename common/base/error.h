// The one closed list of reasons for which Tocsin refuses or fails, and what each means to a
// caller.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace tocsin {

enum class ErrorCode {
  kInvalidArgument,
  kInvalidPhoneFormat,
  kTextTooLong,
  kTooManyItems,
  kUnauthenticated,
  kPermissionDenied,
  kNotFound,
  kIdempotencyConflict,
  kNoRoute,
  kSmsDisabled,
  kVoiceDisabled,
  kCredentialsMissing,
  kInsufficientBalance,
  kRateLimitExceeded,
  kSpendLimit,
  kOverloaded,
  kOptedOut,
  kExpired,
  kCancelled,
  kInDoubt,
  kRetriesExhausted,
  kTwilioApiError,
  kRedisUnavailable,
  kKafkaUnavailable,
  kPostgresUnavailable,
  kKmsUnavailable,
  kOutcomeUnknown,         // keyed: the same call again is safe
  kOutcomeUnknownUnkeyed,  // the same call again could be a second alert
  kNotBuilt,
  kCorrupt,
  kInvalidConfig,
  kInternal,
};

// What a reason means on each protocol. `grpc_status` is the number of grpc::StatusCode.
struct ErrorTraits {
  std::string_view name;  // UPPER_SNAKE: google.rpc.ErrorInfo.reason, records, logs, metrics
  int grpc_status;
  int http_status;
  bool retryable;  // the same request may succeed later, unchanged
};

ErrorTraits TraitsOf(ErrorCode code);

// The code whose TraitsOf().name is `name`, or nothing.
std::optional<ErrorCode> ErrorCodeNamed(std::string_view name);

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string
      message;  // ids, lengths and last-four digits only: it is logged and returned as it stands
  std::string field = {};    // the offending field of a request or setting, as its author wrote it
  std::string subject = {};  // id of the alert it is about, where one is known
  std::optional<std::chrono::milliseconds> retry_after = {};  // when the refusing side named a time
};

}  // namespace tocsin
