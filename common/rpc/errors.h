// Errors as gRPC callers see them (AIP-193).
#pragma once

#include <grpcpp/support/status.h>

#include "common/base/error.h"

namespace google::rpc {
class Status;
}

namespace tocsin::rpc {

constexpr char kErrorDomain[] = "tocsin";

// Code, message and details: one google.rpc.ErrorInfo (domain "tocsin", reason = the name of the
// code, the field and the wait as metadata), BadRequest when a field is at fault, RetryInfo when a
// retry may help.
google::rpc::Status ToRpcStatus(const Error& error);

// The same as a grpc::Status with its details attached.
grpc::Status ToGrpcStatus(const Error& error);

// Of bytes that are no message of the method's type: protobuf does not say which field is at fault.
Error UnreadableError();

}  // namespace tocsin::rpc
