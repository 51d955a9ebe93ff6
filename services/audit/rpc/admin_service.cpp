#include "services/audit/rpc/admin_service.h"

#include "services/audit/dead_letters/dead_letter_list.h"
#include "services/audit/dead_letters/decisions.h"

namespace tocsin::audit {

grpc::ServerUnaryReactor* AdminService::Run(const char* method,
                                            grpc::CallbackServerContext& context,
                                            Operation operation) {
  auto* reactor = new UnaryRequest(method, parts_.readers, observer_);  // deletes itself
  auto operator_id = parts_.gate.Admit(context, Scope::kAdmin);
  if (!operator_id) {
    reactor->End(Fail(operator_id.error()));
    return reactor;
  }
  reactor->Run([operation = std::move(operation), operator_id = *std::move(operator_id)](
                   postgres::Session& session) { return operation(session, operator_id); });
  return reactor;
}

Status AdminService::Publish(std::vector<OutgoingRecord> records) {
  TOCSIN_CHECK_OK(parts_.log.PublishAndWait(std::move(records)));
  return {};
}

grpc::ServerUnaryReactor* AdminService::ListDeadLetters(grpc::CallbackServerContext* context,
                                                        const v1::ListDeadLettersRequest* request,
                                                        v1::ListDeadLettersResponse* response) {
  return Run("ListDeadLetters", *context,
             [=, this](postgres::Session& session, const std::string& operator_id) -> Status {
               TOCSIN_TRY(const DeadLetterFilter filter,
                          ParseListDeadLetters(*request, operator_id, parts_.vault));
               TOCSIN_TRY(*response, audit::ListDeadLetters(session, filter, parts_.vault));
               return {};
             });
}

grpc::ServerUnaryReactor* AdminService::RedriveDeadLetter(
    grpc::CallbackServerContext* context, const v1::RedriveDeadLetterRequest* request,
    v1::RedriveDeadLetterResponse* response) {
  return Run("RedriveDeadLetter", *context,
             [=, this](postgres::Session& session, const std::string& operator_id) -> Status {
               TOCSIN_TRY(const Decision decision,
                          DecideRedrive(session, request->attempt(), request->force(), operator_id,
                                        parts_.clock.Now()));
               TOCSIN_CHECK_OK(Publish({AdminActionRecordOf(decision, parts_.topics)}));
               TOCSIN_CHECK_OK(Publish(NextAttemptRecordsOf(decision, parts_.topics)));
               *response->mutable_attempt() = request->attempt();
               response->mutable_attempt()->set_attempt(decision.next_attempt);
               return {};
             });
}

grpc::ServerUnaryReactor* AdminService::DiscardDeadLetter(
    grpc::CallbackServerContext* context, const v1::DiscardDeadLetterRequest* request,
    v1::DiscardDeadLetterResponse* /*response*/) {
  return Run("DiscardDeadLetter", *context,
             [=, this](postgres::Session& session, const std::string& operator_id) -> Status {
               TOCSIN_TRY(const Decision decision,
                          DecideDiscard(session, request->attempt(), request->reason(),
                                        parts_.registry.Now()->Regions(), operator_id,
                                        parts_.clock.Now()));
               return Publish({AdminActionRecordOf(decision, parts_.topics)});
             });
}

}  // namespace tocsin::audit
