// What a gRPC call says of its caller.
#pragma once

#include <grpcpp/server_context.h>

#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/base/secret.h"

namespace tocsin::rpc {

// The key of metadata `authorization: Bearer <key>`; kUnauthenticated when it is missing, repeated
// or of another form.
Result<Secret> BearerKey(const grpc::ServerContextBase& context);

// The caller's `traceparent`, unchecked; nothing when it is missing or repeated.
std::optional<std::string> Traceparent(const grpc::ServerContextBase& context);

}  // namespace tocsin::rpc
