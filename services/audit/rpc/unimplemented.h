// AuditService, whose methods are defined but not implemented: a client with the scope gets
// UNIMPLEMENTED.
#pragma once

#include "common/rpc/admission_gate.h"
#include "tocsin/v1/audit_service.grpc.pb.h"

namespace tocsin::audit {

class UnimplementedAuditService final : public v1::AuditService::CallbackService {
 public:
  // The gate outlives every request.
  explicit UnimplementedAuditService(rpc::AdmissionGate& gate) : gate_(gate) {}

  grpc::ServerUnaryReactor* ListAuditLogEntries(grpc::CallbackServerContext* context,
                                                const v1::ListAuditLogEntriesRequest* request,
                                                v1::ListAuditLogEntriesResponse* response) override;
  grpc::ServerUnaryReactor* VerifyAuditLog(grpc::CallbackServerContext* context,
                                           const v1::VerifyAuditLogRequest* request,
                                           v1::VerifyAuditLogResponse* response) override;
  grpc::ServerUnaryReactor* EraseRecipient(grpc::CallbackServerContext* context,
                                           const v1::EraseRecipientRequest* request,
                                           v1::EraseRecipientResponse* response) override;

 private:
  rpc::AdmissionGate& gate_;
};

}  // namespace tocsin::audit
