// AdminService: the operator's hands.
#pragma once

#include "common/domain/topics.h"
#include "common/ports/clock.h"
#include "common/ports/record_log.h"
#include "common/ports/vault.h"
#include "common/postgres/reader_pool.h"
#include "common/rpc/door.h"
#include "services/audit/call.h"
#include "tocsin/v1/admin_service.grpc.pb.h"

namespace tocsin::audit {

// Calls work on a thread of the readers; those that change something wait there for their records'
// reports (the log's delivery time-out at most).
class AdminService final : public v1::AdminService::CallbackService {
 public:
  struct Parts {
    const Clock& clock;
    rpc::Door& door;
    postgres::ReaderPool& readers;
    Vault& vault;
    RecordLog& log;
    const Topics& topics;
  };

  // The parts outlive every call.
  AdminService(Parts parts, Answered answered) : parts_(parts), answered_(std::move(answered)) {}

  grpc::ServerUnaryReactor* ListDeadLetters(grpc::CallbackServerContext* context,
                                            const v1::ListDeadLettersRequest* request,
                                            v1::ListDeadLettersResponse* response) override;
  // The decision is stored, then told as an event, then done: whatever fails on the way, the same
  // call again does the rest, once.
  grpc::ServerUnaryReactor* RedriveDeadLetter(grpc::CallbackServerContext* context,
                                              const v1::RedriveDeadLetterRequest* request,
                                              v1::RedriveDeadLetterResponse* response) override;
  grpc::ServerUnaryReactor* DropDeadLetter(grpc::CallbackServerContext* context,
                                           const v1::DropDeadLetterRequest* request,
                                           v1::DropDeadLetterResponse* response) override;

 private:
  // What an operator asks for, on a reader's thread.
  using Act = std::function<Status(postgres::Session& session, const std::string& operator_id)>;
  grpc::ServerUnaryReactor* Do(const char* method, grpc::CallbackServerContext& context, Act act);
  Status Publish(std::vector<OutgoingRecord> records);

  Parts parts_;
  Answered answered_;
};

}  // namespace tocsin::audit
