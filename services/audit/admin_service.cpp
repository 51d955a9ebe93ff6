#include "services/audit/admin_service.h"

#include <utility>

#include "common/domain/registry.h"
#include "services/audit/dead_letters.h"

namespace tocsin::audit {

grpc::ServerUnaryReactor* AdminService::Do(const char* method, grpc::CallbackServerContext& context,
                                           Act act) {
  auto* call = new Call(method, parts_.readers, answered_);  // deletes itself in OnDone
  auto caller = parts_.door.Admit(context, Scope::kAdmin);
  if (!caller) {
    call->End(Fail(caller.error()));
    return call;
  }
  call->Work([act = std::move(act), caller = *std::move(caller)](postgres::Session& session) {
    return act(session, caller);
  });
  return call;
}

Status AdminService::Publish(std::vector<OutgoingRecord> records) {
  TOCSIN_CHECK_OK(parts_.log.PublishAndWait(std::move(records)));
  return {};
}

grpc::ServerUnaryReactor* AdminService::ListDeadLetters(grpc::CallbackServerContext* context,
                                                        const v1::ListDeadLettersRequest* request,
                                                        v1::ListDeadLettersResponse* response) {
  return Do("ListDeadLetters", *context,
            [=, this](postgres::Session& session, const std::string& operator_id) -> Status {
              TOCSIN_TRY(const DeadLetterQuery query,
                         ParseListDeadLetters(*request, operator_id, parts_.vault));
              TOCSIN_TRY(*response, audit::ListDeadLetters(session, query, parts_.vault));
              return {};
            });
}

grpc::ServerUnaryReactor* AdminService::RedriveDeadLetter(
    grpc::CallbackServerContext* context, const v1::RedriveDeadLetterRequest* request,
    v1::RedriveDeadLetterResponse* response) {
  return Do("RedriveDeadLetter", *context,
            [=, this](postgres::Session& session, const std::string& operator_id) -> Status {
              TOCSIN_TRY(const Decision decision,
                         DecideRedrive(session, request->try_(), request->force(), operator_id,
                                       parts_.clock.Now()));
              TOCSIN_CHECK_OK(Publish({ActOf(decision, parts_.topics)}));
              TOCSIN_CHECK_OK(Publish(NextTryOf(decision, parts_.topics)));
              *response->mutable_try_() = request->try_();
              response->mutable_try_()->set_try_(decision.next_try);
              return {};
            });
}

grpc::ServerUnaryReactor* AdminService::DropDeadLetter(grpc::CallbackServerContext* context,
                                                       const v1::DropDeadLetterRequest* request,
                                                       v1::DropDeadLetterResponse* /*response*/) {
  return Do("DropDeadLetter", *context,
            [=, this](postgres::Session& session, const std::string& operator_id) -> Status {
              TOCSIN_TRY(const Decision decision,
                         DecideDrop(session, request->try_(), request->reason(), operator_id,
                                    parts_.clock.Now()));
              return Publish({ActOf(decision, parts_.topics)});
            });
}

}  // namespace tocsin::audit
