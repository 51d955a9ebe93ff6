// Services whose wire is laid and whose work is not: every call is refused with NOT_BUILT, so that
// a caller learns the bound rather than meeting silence.
#pragma once

#include <string>

#include "common/base/error.h"
#include "tocsin/v1/admin_service.grpc.pb.h"
#include "tocsin/v1/audit_service.grpc.pb.h"

namespace tocsin::audit {

Error Unbuilt(const std::string& method);
grpc::ServerUnaryReactor* RefuseUnbuilt(grpc::CallbackServerContext& context,
                                        const std::string& method);

class UnbuiltAuditService final : public v1::AuditService::CallbackService {
 public:
  grpc::ServerUnaryReactor* ListTrail(grpc::CallbackServerContext* context,
                                      const v1::ListTrailRequest* request,
                                      v1::ListTrailResponse* response) override;
  grpc::ServerUnaryReactor* VerifyTrail(grpc::CallbackServerContext* context,
                                        const v1::VerifyTrailRequest* request,
                                        v1::VerifyTrailResponse* response) override;
  grpc::ServerUnaryReactor* ErasePerson(grpc::CallbackServerContext* context,
                                        const v1::ErasePersonRequest* request,
                                        v1::ErasePersonResponse* response) override;
};

class UnbuiltAdminService final : public v1::AdminService::CallbackService {
 public:
  grpc::ServerUnaryReactor* ListDeadLetters(grpc::CallbackServerContext* context,
                                            const v1::ListDeadLettersRequest* request,
                                            v1::ListDeadLettersResponse* response) override;
  grpc::ServerUnaryReactor* RedriveDeadLetter(grpc::CallbackServerContext* context,
                                              const v1::RedriveDeadLetterRequest* request,
                                              v1::RedriveDeadLetterResponse* response) override;
  grpc::ServerUnaryReactor* DropDeadLetter(grpc::CallbackServerContext* context,
                                           const v1::DropDeadLetterRequest* request,
                                           v1::DropDeadLetterResponse* response) override;
};

}  // namespace tocsin::audit
