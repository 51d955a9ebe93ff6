// Metadata of gRPC requests: API key and trace.
#pragma once

#include <grpcpp/server_context.h>

#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/base/secret.h"

namespace tocsin::rpc {

// The API key of metadata `authorization: Bearer <API key>`. Fails with kUnauthenticated if the
// entry is missing, repeated or of another form.
Result<Secret> BearerKey(const grpc::ServerContextBase& context);

// The client's `traceparent`, unchecked. Nothing if it is missing or repeated.
std::optional<std::string> Traceparent(const grpc::ServerContextBase& context);

}  // namespace tocsin::rpc
