// A service whose wire is laid and whose work is not: a caller with the scope is refused with
// NOT_BUILT, so that it learns the bound rather than meeting silence.
#pragma once

#include "common/rpc/door.h"
#include "tocsin/v1/audit_service.grpc.pb.h"

namespace tocsin::audit {

class UnbuiltAuditService final : public v1::AuditService::CallbackService {
 public:
  // The door outlives every call.
  explicit UnbuiltAuditService(rpc::Door& door) : door_(door) {}

  grpc::ServerUnaryReactor* ListTrail(grpc::CallbackServerContext* context,
                                      const v1::ListTrailRequest* request,
                                      v1::ListTrailResponse* response) override;
  grpc::ServerUnaryReactor* VerifyTrail(grpc::CallbackServerContext* context,
                                        const v1::VerifyTrailRequest* request,
                                        v1::VerifyTrailResponse* response) override;
  grpc::ServerUnaryReactor* ErasePerson(grpc::CallbackServerContext* context,
                                        const v1::ErasePersonRequest* request,
                                        v1::ErasePersonResponse* response) override;

 private:
  rpc::Door& door_;
};

}  // namespace tocsin::audit
