#include "common/base/error.h"

namespace tocsin {
namespace {

// Numbers of grpc::StatusCode (grpc/status.h), named here so that base needs no gRPC.
constexpr int kGrpcUnknown = 2;
constexpr int kGrpcInvalidArgument = 3;
constexpr int kGrpcNotFound = 5;
constexpr int kGrpcAlreadyExists = 6;
constexpr int kGrpcPermissionDenied = 7;
constexpr int kGrpcResourceExhausted = 8;
constexpr int kGrpcFailedPrecondition = 9;
constexpr int kGrpcUnimplemented = 12;
constexpr int kGrpcInternal = 13;
constexpr int kGrpcUnavailable = 14;
constexpr int kGrpcDataLoss = 15;
constexpr int kGrpcUnauthenticated = 16;

}  // namespace

ErrorTraits TraitsOf(ErrorCode code) {
  switch (code) {  // no default: -Wswitch reports a missing row
    case ErrorCode::kInvalidArgument: return {"INVALID_ARGUMENT", kGrpcInvalidArgument, 422, false};
    case ErrorCode::kInvalidPhoneFormat:
      return {"INVALID_PHONE_FORMAT", kGrpcInvalidArgument, 422, false};
    case ErrorCode::kTextTooLong: return {"TEXT_TOO_LONG", kGrpcInvalidArgument, 422, false};
    case ErrorCode::kTooManyItems: return {"TOO_MANY_ITEMS", kGrpcInvalidArgument, 422, false};
    case ErrorCode::kUnauthenticated: return {"UNAUTHENTICATED", kGrpcUnauthenticated, 401, false};
    case ErrorCode::kPermissionDenied:
      return {"PERMISSION_DENIED", kGrpcPermissionDenied, 403, false};
    case ErrorCode::kNotFound: return {"NOT_FOUND", kGrpcNotFound, 404, false};
    case ErrorCode::kIdempotencyConflict:
      return {"IDEMPOTENCY_CONFLICT", kGrpcAlreadyExists, 409, false};
    case ErrorCode::kNoRoute: return {"NO_ROUTE", kGrpcFailedPrecondition, 422, false};
    case ErrorCode::kSmsDisabled: return {"SMS_DISABLED", kGrpcFailedPrecondition, 422, false};
    case ErrorCode::kVoiceDisabled: return {"VOICE_DISABLED", kGrpcFailedPrecondition, 422, false};
    case ErrorCode::kCredentialsMissing:
      return {"CREDENTIALS_MISSING", kGrpcFailedPrecondition, 422, false};
    case ErrorCode::kInsufficientBalance:
      return {"INSUFFICIENT_BALANCE", kGrpcFailedPrecondition, 402, false};
    case ErrorCode::kRateLimitExceeded:
      return {"RATE_LIMIT_EXCEEDED", kGrpcResourceExhausted, 429, true};
    case ErrorCode::kSpendLimit: return {"SPEND_LIMIT", kGrpcResourceExhausted, 429, true};
    case ErrorCode::kOverloaded: return {"OVERLOADED", kGrpcUnavailable, 503, true};
    case ErrorCode::kShuttingDown: return {"SHUTTING_DOWN", kGrpcUnavailable, 503, true};
    case ErrorCode::kUnreachable: return {"UNREACHABLE", kGrpcUnavailable, 503, true};
    case ErrorCode::kOptedOut: return {"OPTED_OUT", kGrpcFailedPrecondition, 422, false};
    case ErrorCode::kExpired: return {"EXPIRED", kGrpcFailedPrecondition, 422, false};
    case ErrorCode::kCancelled: return {"CANCELLED", kGrpcFailedPrecondition, 409, false};
    case ErrorCode::kInDoubt: return {"IN_DOUBT", kGrpcUnknown, 500, false};
    case ErrorCode::kNotReceived: return {"NOT_RECEIVED", kGrpcFailedPrecondition, 422, false};
    case ErrorCode::kRetriesExhausted:
      return {"RETRIES_EXHAUSTED", kGrpcFailedPrecondition, 422, false};
    case ErrorCode::kTwilioApiError:
      return {"TWILIO_API_ERROR", kGrpcFailedPrecondition, 422, false};
    case ErrorCode::kRedisUnavailable: return {"REDIS_UNAVAILABLE", kGrpcUnavailable, 503, true};
    case ErrorCode::kKafkaUnavailable: return {"KAFKA_UNAVAILABLE", kGrpcUnavailable, 503, true};
    case ErrorCode::kPostgresUnavailable:
      return {"POSTGRES_UNAVAILABLE", kGrpcUnavailable, 503, true};
    case ErrorCode::kKmsUnavailable: return {"KMS_UNAVAILABLE", kGrpcUnavailable, 503, true};
    case ErrorCode::kOutcomeUnknown: return {"OUTCOME_UNKNOWN", kGrpcUnavailable, 503, true};
    case ErrorCode::kOutcomeUnknownNoKey:
      return {"OUTCOME_UNKNOWN_NO_KEY", kGrpcUnknown, 500, false};
    case ErrorCode::kUnimplemented: return {"UNIMPLEMENTED", kGrpcUnimplemented, 501, false};
    case ErrorCode::kDataCorrupted: return {"DATA_CORRUPTED", kGrpcDataLoss, 500, false};
    case ErrorCode::kInvalidConfig: return {"INVALID_CONFIG", kGrpcFailedPrecondition, 500, false};
    case ErrorCode::kInternal: return {"INTERNAL", kGrpcInternal, 500, false};
  }
  return {"INTERNAL", kGrpcInternal, 500, false};
}

std::optional<ErrorCode> ErrorCodeNamed(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::kInternal); ++i) {
    const auto code = static_cast<ErrorCode>(i);
    if (TraitsOf(code).name == name) return code;
  }
  return std::nullopt;
}

}  // namespace tocsin
