#include "services/audit/rpc/unary_request.h"

#include <utility>

#include "common/rpc/admission_gate.h"
#include "common/rpc/errors.h"

namespace tocsin::audit {

Error OverloadedError(std::string message) {
  return Error{.code = ErrorCode::kOverloaded,
               .message = std::move(message),
               .retry_after = std::chrono::milliseconds(500)};
}

Micros ElapsedSince(SteadyTime start) {
  return std::chrono::duration_cast<Micros>(std::chrono::steady_clock::now() - start);
}

void UnaryRequest::Run(std::function<Status(postgres::Session&)> work) {
  const bool accepted = readers_.Submit([this, work = std::move(work)](postgres::Session* session) {
    End(session == nullptr ? Status(Fail(rpc::ShuttingDownError())) : work(*session));
  });
  if (!accepted) End(Fail(OverloadedError("too many requests wait for a reader")));
}

void UnaryRequest::End(const Status& status) {
  observer_(method_, status ? std::nullopt : std::optional(status.error().code),
            ElapsedSince(start_));
  Finish(status ? grpc::Status::OK : rpc::ToGrpcStatus(status.error()));
}

}  // namespace tocsin::audit
