// Errors as gRPC status with details (AIP-193).
#pragma once

#include <grpcpp/support/status.h>

#include "common/base/error.h"

namespace google::rpc {
class Status;
}

namespace tocsin::rpc {

constexpr char kErrorDomain[] = "tocsin";

// Code, message and details: one google.rpc.ErrorInfo (domain "tocsin", reason = name of the code,
// metadata `field`, `alertId`, `retryAfterMs`), BadRequest if a field is invalid, RetryInfo if the
// code is retryable.
google::rpc::Status ToRpcStatus(const Error& error);

// The same as a grpc::Status with the details attached.
grpc::Status ToGrpcStatus(const Error& error);

// For bytes that are not a message of the method's request type. Protobuf does not report which
// field is invalid.
Error UnparsableRequestError();

}  // namespace tocsin::rpc
