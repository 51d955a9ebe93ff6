#include "services/audit/unbuilt.h"

#include "common/domain/registry.h"
#include "common/rpc/errors.h"

namespace tocsin::audit {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

namespace {

ServerUnaryReactor* Refuse(CallbackServerContext& context, rpc::Door& door,
                           const std::string& method) {
  ServerUnaryReactor* reactor = context.DefaultReactor();
  const auto caller = door.Admit(context, Scope::kAdmin);
  reactor->Finish(rpc::ToGrpcStatus(
      caller ? Error{.code = ErrorCode::kNotBuilt, .message = method + " is not built yet"}
             : caller.error()));
  return reactor;
}

}  // namespace

ServerUnaryReactor* UnbuiltAuditService::ListTrail(CallbackServerContext* context,
                                                   const v1::ListTrailRequest* /*request*/,
                                                   v1::ListTrailResponse* /*response*/) {
  return Refuse(*context, door_, "ListTrail");
}

ServerUnaryReactor* UnbuiltAuditService::VerifyTrail(CallbackServerContext* context,
                                                     const v1::VerifyTrailRequest* /*request*/,
                                                     v1::VerifyTrailResponse* /*response*/) {
  return Refuse(*context, door_, "VerifyTrail");
}

ServerUnaryReactor* UnbuiltAuditService::ErasePerson(CallbackServerContext* context,
                                                     const v1::ErasePersonRequest* /*request*/,
                                                     v1::ErasePersonResponse* /*response*/) {
  return Refuse(*context, door_, "ErasePerson");
}

}  // namespace tocsin::audit
