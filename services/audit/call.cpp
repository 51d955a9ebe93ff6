#include "services/audit/call.h"

#include <utility>

#include "common/rpc/door.h"
#include "common/rpc/errors.h"

namespace tocsin::audit {

Error Busy(std::string message) {
  return Error{.code = ErrorCode::kOverloaded,
               .message = std::move(message),
               .retry_after = std::chrono::milliseconds(500)};
}

Micros Since(SteadyTime began) {
  return std::chrono::duration_cast<Micros>(std::chrono::steady_clock::now() - began);
}

void Call::Work(std::function<Status(postgres::Session&)> work) {
  const bool taken = readers_.Submit([this, work = std::move(work)](postgres::Session* session) {
    End(session == nullptr ? Status(Fail(rpc::LeavingError())) : work(*session));
  });
  if (!taken) End(Fail(Busy("too many calls wait for a reader")));
}

void Call::End(const Status& status) {
  answered_(method_, status ? "OK" : TraitsOf(status.error().code).name, Since(began_));
  Finish(status ? grpc::Status::OK : rpc::ToGrpcStatus(status.error()));
}

}  // namespace tocsin::audit
