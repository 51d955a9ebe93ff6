#include "services/audit/unbuilt.h"

#include "common/rpc/errors.h"

namespace tocsin::audit {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

Error Unbuilt(const std::string& method) {
  return Error{.code = ErrorCode::kNotBuilt, .message = method + " is not built yet"};
}

ServerUnaryReactor* RefuseUnbuilt(CallbackServerContext& context, const std::string& method) {
  ServerUnaryReactor* reactor = context.DefaultReactor();
  reactor->Finish(rpc::ToGrpcStatus(Unbuilt(method)));
  return reactor;
}

ServerUnaryReactor* UnbuiltAuditService::ListTrail(CallbackServerContext* context,
                                                   const v1::ListTrailRequest* /*request*/,
                                                   v1::ListTrailResponse* /*response*/) {
  return RefuseUnbuilt(*context, "ListTrail");
}

ServerUnaryReactor* UnbuiltAuditService::VerifyTrail(CallbackServerContext* context,
                                                     const v1::VerifyTrailRequest* /*request*/,
                                                     v1::VerifyTrailResponse* /*response*/) {
  return RefuseUnbuilt(*context, "VerifyTrail");
}

ServerUnaryReactor* UnbuiltAuditService::ErasePerson(CallbackServerContext* context,
                                                     const v1::ErasePersonRequest* /*request*/,
                                                     v1::ErasePersonResponse* /*response*/) {
  return RefuseUnbuilt(*context, "ErasePerson");
}

ServerUnaryReactor* UnbuiltAdminService::ListDeadLetters(
    CallbackServerContext* context, const v1::ListDeadLettersRequest* /*request*/,
    v1::ListDeadLettersResponse* /*response*/) {
  return RefuseUnbuilt(*context, "ListDeadLetters");
}

ServerUnaryReactor* UnbuiltAdminService::RedriveDeadLetter(
    CallbackServerContext* context, const v1::RedriveDeadLetterRequest* /*request*/,
    v1::RedriveDeadLetterResponse* /*response*/) {
  return RefuseUnbuilt(*context, "RedriveDeadLetter");
}

ServerUnaryReactor* UnbuiltAdminService::DropDeadLetter(
    CallbackServerContext* context, const v1::DropDeadLetterRequest* /*request*/,
    v1::DropDeadLetterResponse* /*response*/) {
  return RefuseUnbuilt(*context, "DropDeadLetter");
}

}  // namespace tocsin::audit
