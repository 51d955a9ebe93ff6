#include "services/audit/rpc/unimplemented.h"

#include "common/domain/registry/registry.h"
#include "common/rpc/errors.h"

namespace tocsin::audit {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

namespace {

ServerUnaryReactor* Refuse(CallbackServerContext& context, rpc::AdmissionGate& gate,
                           const std::string& method) {
  ServerUnaryReactor* reactor = context.DefaultReactor();
  const auto caller = gate.Admit(context, Scope::kAdmin);
  reactor->Finish(rpc::ToGrpcStatus(
      caller ? Error{.code = ErrorCode::kUnimplemented, .message = method + " is not implemented"}
             : caller.error()));
  return reactor;
}

}  // namespace

ServerUnaryReactor* UnimplementedAuditService::ListAuditLogEntries(
    CallbackServerContext* context, const v1::ListAuditLogEntriesRequest* /*request*/,
    v1::ListAuditLogEntriesResponse* /*response*/) {
  return Refuse(*context, gate_, "ListAuditLogEntries");
}

ServerUnaryReactor* UnimplementedAuditService::VerifyAuditLog(
    CallbackServerContext* context, const v1::VerifyAuditLogRequest* /*request*/,
    v1::VerifyAuditLogResponse* /*response*/) {
  return Refuse(*context, gate_, "VerifyAuditLog");
}

ServerUnaryReactor* UnimplementedAuditService::EraseRecipient(
    CallbackServerContext* context, const v1::EraseRecipientRequest* /*request*/,
    v1::EraseRecipientResponse* /*response*/) {
  return Refuse(*context, gate_, "EraseRecipient");
}

}  // namespace tocsin::audit
