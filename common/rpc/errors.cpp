#include "common/rpc/errors.h"

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace tocsin::rpc {
namespace {

// RetryInfo of a retryable error that has no retry delay of its own.
constexpr std::chrono::milliseconds kDefaultRetryDelay{1000};

}  // namespace

google::rpc::Status ToRpcStatus(const Error& error) {
  const ErrorTraits traits = TraitsOf(error.code);
  google::rpc::Status status;
  status.set_code(traits.grpc_status);
  status.set_message(error.message);
  google::rpc::ErrorInfo info;
  info.set_reason(std::string(traits.name));
  info.set_domain(kErrorDomain);
  if (!error.subject.empty()) (*info.mutable_metadata())["alertId"] = error.subject;
  if (!error.field.empty()) {
    (*info.mutable_metadata())["field"] = error.field;
    google::rpc::BadRequest bad_request;
    auto& violation = *bad_request.add_field_violations();
    violation.set_field(error.field);
    violation.set_description(error.message);
    status.add_details()->PackFrom(bad_request);
  }
  if (traits.retryable) {
    const auto delay = error.retry_after.value_or(kDefaultRetryDelay);
    (*info.mutable_metadata())["retryAfterMs"] = std::to_string(delay.count());
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(delay.count() / 1000);
    retry.mutable_retry_delay()->set_nanos(static_cast<std::int32_t>(delay.count() % 1000) *
                                           1'000'000);
    status.add_details()->PackFrom(retry);
  }
  status.add_details()->PackFrom(info);
  return status;
}

grpc::Status ToGrpcStatus(const Error& error) {
  const google::rpc::Status status = ToRpcStatus(error);
  return {static_cast<grpc::StatusCode>(status.code()), status.message(),
          status.SerializeAsString()};
}

Error UnparsableRequestError() {
  return {.code = ErrorCode::kInvalidArgument,
          .message =
              "the request cannot be parsed: it is truncated or of another type, or a string in "
              "it is not UTF-8"};
}

}  // namespace tocsin::rpc
