// The closed list of reasons for a refusal or failure, and what each means to a caller.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace tocsin {

// Each comment says when to choose the code and not its neighbour.
enum class ErrorCode {
  kInvalidArgument,      // a field is malformed; not one of the three codes below
  kInvalidPhoneFormat,   // a phone number is not E.164
  kTextTooLong,          // a text exceeds its limit; for lists: kTooManyItems
  kTooManyItems,         // a list, map or form has too many entries
  kUnauthenticated,      // the credentials are missing or unknown
  kPermissionDenied,     // the credentials are valid but do not allow the request
  kNotFound,             // the thing does not exist, or belongs to another client
  kIdempotencyConflict,  // the idempotency key was used for another request
  kNoRoute,              // no sender of the registry can reach the number
  kSmsDisabled,          // the SMS channel is disabled
  kVoiceDisabled,        // the voice channel is disabled
  kCredentialsMissing,   // the Twilio account of the sender has no credentials
  kInsufficientBalance,  // the Twilio account has no money; for our own limit: kSpendLimit
  kRateLimitExceeded,    // the client or Twilio's account sent too fast
  kSpendLimit,           // the spend limit of the client is reached
  kOverloaded,           // a queue or a wait of this process is full; for a shutdown: kShuttingDown
  kShuttingDown,         // this process refuses because it is shutting down; another replica serves
  kUnreachable,          // clients only: the server cannot be reached at its address
  kOptedOut,             // the recipient has opted out
  kExpired,              // the alert expired before it was sent
  kCancelled,            // the alert was cancelled before it was sent
  kInDoubt,              // an attempt: it cannot be determined whether Twilio accepted it
  kNotReceived,          // an attempt in doubt: Twilio's list proves that Twilio never received it
  kRetriesExhausted,     // every attempt failed with an error that allows a retry
  kTwilioApiError,       // Twilio refused, or returned what cannot be parsed
  kRedisUnavailable,     // Redis does not serve
  kKafkaUnavailable,     // Kafka does not serve, and nothing was published
  kPostgresUnavailable,  // PostgreSQL does not serve
  kKmsUnavailable,       // the keys do not serve; for data that fails its check: kDataCorrupted
  kOutcomeUnknown,       // the write may be done; the request has a key and can be repeated
  kOutcomeUnknownNoKey,  // the write may be done; to repeat the request could be a second alert
  kUnimplemented,        // part of the API, not yet built
  kDataCorrupted,        // stored data fails its check or cannot be parsed
  kInvalidConfig,        // a setting or a file it names is invalid; for a request: kInvalidArgument
  kInternal,             // a defect of Tocsin; no other code fits
};

// What a reason means on each protocol. `grpc_status` is the number of grpc::StatusCode.
struct ErrorTraits {
  std::string_view name;  // UPPER_SNAKE_CASE: ErrorInfo.reason, records, logs, metrics
  int grpc_status;
  int http_status;
  bool retryable;  // the same request may succeed later, unchanged
};

ErrorTraits TraitsOf(ErrorCode code);

// The code whose TraitsOf().name is `name`, or nothing.
std::optional<ErrorCode> ErrorCodeNamed(std::string_view name);

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;       // free of PII: it is logged and returned to the client as it is
  std::string field = {};    // the invalid field of a request, or the invalid setting
  std::string subject = {};  // id of the alert concerned, if known
  std::optional<std::chrono::milliseconds> retry_after = {};  // if the server named a delay
};

}  // namespace tocsin
