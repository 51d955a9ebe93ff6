// AdminService on gRPC's callback API.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "common/ports/clock.h"
#include "common/ports/record_log.h"
#include "common/ports/registry_source.h"
#include "common/ports/topics.h"
#include "common/ports/vault.h"
#include "common/postgres/reader_pool.h"
#include "common/rpc/admission_gate.h"
#include "services/audit/rpc/unary_request.h"
#include "tocsin/v1/admin_service.grpc.pb.h"

namespace tocsin::audit {

// Requests run on the readers' threads. Those that change something block there until their records
// are published (the log's delivery timeout at most).
class AdminService final : public v1::AdminService::CallbackService {
 public:
  struct Parts {
    const Clock& clock;
    const RegistrySource& registry;
    rpc::AdmissionGate& gate;
    postgres::ReaderPool& readers;
    Vault& vault;
    RecordLog& log;
    const Topics& topics;
  };

  // The parts outlive every request.
  AdminService(Parts parts, RequestObserver observer)
      : parts_(parts), observer_(std::move(observer)) {}

  grpc::ServerUnaryReactor* ListDeadLetters(grpc::CallbackServerContext* context,
                                            const v1::ListDeadLettersRequest* request,
                                            v1::ListDeadLettersResponse* response) override;
  // Stores the decision, publishes the event that records it, then the new attempt. If a step
  // fails, the same request does the rest, once.
  grpc::ServerUnaryReactor* RedriveDeadLetter(grpc::CallbackServerContext* context,
                                              const v1::RedriveDeadLetterRequest* request,
                                              v1::RedriveDeadLetterResponse* response) override;
  grpc::ServerUnaryReactor* DiscardDeadLetter(grpc::CallbackServerContext* context,
                                              const v1::DiscardDeadLetterRequest* request,
                                              v1::DiscardDeadLetterResponse* response) override;

 private:
  // Runs on a reader's thread.
  using Operation =
      std::function<Status(postgres::Session& session, const std::string& operator_id)>;
  grpc::ServerUnaryReactor* Run(const char* method, grpc::CallbackServerContext& context,
                                Operation operation);
  Status Publish(std::vector<OutgoingRecord> records);

  Parts parts_;
  RequestObserver observer_;
};

}  // namespace tocsin::audit
