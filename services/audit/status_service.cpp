#include "services/audit/status_service.h"

#include <atomic>
#include <utility>

#include "common/base/uuid.h"
#include "common/domain/registry.h"
#include "common/rpc/auth.h"
#include "common/rpc/errors.h"
#include "services/audit/alert_reader.h"
#include "services/audit/unbuilt.h"

namespace tocsin::audit {
namespace {

constexpr std::string_view kGetAlert = "GetAlert";

Error Busy(std::string message) {
  return Error{.code = ErrorCode::kOverloaded,
               .message = std::move(message),
               .retry_after = std::chrono::milliseconds(500)};
}

// One call. It lives until gRPC is done with it; whoever takes the last step finishes it, once.
class GetAlertCall final : public grpc::ServerUnaryReactor {
 public:
  GetAlertCall(StatusService::Parts parts, const Answered& answered, v1::GetAlertResponse& response)
      : parts_(parts), answered_(answered), response_(response) {}

  void Begin(const grpc::CallbackServerContext& context, const v1::GetAlertRequest& request) {
    if (const Status started = TryBegin(context, request); !started) End(started.error());
  }

  // The caller left. While the call waits for a position nobody else holds it; later a reader does.
  void OnCancel() override {
    if (parts_.board.Forget(ticket_.load())) Finish(grpc::Status::CANCELLED);
  }
  void OnDone() override { delete this; }

 private:
  Status TryBegin(const grpc::CallbackServerContext& context, const v1::GetAlertRequest& request) {
    TOCSIN_TRY(const Secret key, rpc::BearerKey(context));
    TOCSIN_TRY(client_id_, parts_.registry.Now()->Authenticate(key.Reveal(), Scope::kStatus));
    TOCSIN_TRY(GetAlertQuery query, ParseGetAlert(request, parts_.topics));
    alert_id_ = std::move(query.alert_id);
    if (!query.min_position) {
      Read();
      return {};
    }
    const v1::Position& at = *query.min_position;
    ticket_ = parts_.board.Wait({at.topic(), at.partition()}, at.offset(),
                                std::chrono::steady_clock::now() + query.wait,
                                [this](const Status& folded) {
                                  if (folded) return Read();
                                  End(folded.error());
                                });
    return {};
  }

  void Read() {
    const bool taken = parts_.readers.Submit([this](postgres::Session* session) {
      if (session == nullptr) return End(Busy("this replica is stopping"));
      Result<v1::Alert> alert = ReadAlert(*session, client_id_, alert_id_);
      if (!alert) return End(alert.error());
      *response_.mutable_alert() = *std::move(alert);
      answered_(kGetAlert, "OK");
      Finish(grpc::Status::OK);
    });
    if (!taken) End(Busy("too many calls wait for a reader"));
  }

  void End(const Error& error) {
    answered_(kGetAlert, TraitsOf(error.code).name);
    Finish(rpc::ToGrpcStatus(error));
  }

  const StatusService::Parts parts_;
  const Answered& answered_;
  v1::GetAlertResponse& response_;
  std::string client_id_;
  std::string alert_id_;
  std::atomic<PositionBoard::Ticket> ticket_{0};
};

Result<std::chrono::milliseconds> ParseWait(const v1::GetAlertRequest& request) {
  if (!request.has_wait()) return std::chrono::milliseconds(kDefaultWait);
  const std::int64_t seconds = request.wait().seconds();
  const std::int64_t nanos = request.wait().nanos();
  const bool in_range = seconds >= 0 && nanos >= 0 && nanos < 1'000'000'000 &&
                        (seconds < kMaxWait.count() || (seconds == kMaxWait.count() && nanos == 0));
  if (!in_range) return Fail(ErrorCode::kInvalidArgument, "a wait is 0 to 30 s", "wait");
  return std::chrono::milliseconds(seconds * 1'000 + nanos / 1'000'000);
}

}  // namespace

Result<GetAlertQuery> ParseGetAlert(const v1::GetAlertRequest& request,
                                    const FoldedTopics& topics) {
  GetAlertQuery query;
  if (!IsUuid(request.alert_id()))
    return Fail(ErrorCode::kInvalidArgument, "an alert's id is a UUID in lower case", "alert_id");
  query.alert_id = request.alert_id();
  TOCSIN_TRY(query.wait, ParseWait(request));
  if (!request.has_min_position()) return query;
  const v1::Position& at = request.min_position();
  if (!topics.KindOf(at.topic()))
    return Fail(ErrorCode::kInvalidArgument, "no topic of alerts", "min_position.topic");
  if (at.partition() < 0 || at.partition() >= kLanePartitions)
    return Fail(ErrorCode::kInvalidArgument, "no partition of that topic",
                "min_position.partition");
  if (at.offset() < 0)
    return Fail(ErrorCode::kInvalidArgument, "an offset is not negative", "min_position.offset");
  query.min_position = at;
  return query;
}

grpc::ServerUnaryReactor* StatusService::GetAlert(grpc::CallbackServerContext* context,
                                                  const v1::GetAlertRequest* request,
                                                  v1::GetAlertResponse* response) {
  auto* call = new GetAlertCall(parts_, answered_, *response);  // deletes itself in OnDone
  call->Begin(*context, *request);
  return call;
}

grpc::ServerUnaryReactor* StatusService::ListAlerts(grpc::CallbackServerContext* context,
                                                    const v1::ListAlertsRequest* /*request*/,
                                                    v1::ListAlertsResponse* /*response*/) {
  answered_("ListAlerts", TraitsOf(ErrorCode::kNotBuilt).name);
  return RefuseUnbuilt(*context, "ListAlerts");
}

grpc::ServerWriteReactor<v1::WatchAlertResponse>* StatusService::WatchAlert(
    grpc::CallbackServerContext* /*context*/, const v1::WatchAlertRequest* /*request*/) {
  class Refusal final : public grpc::ServerWriteReactor<v1::WatchAlertResponse> {
   public:
    Refusal() { Finish(rpc::ToGrpcStatus(Unbuilt("WatchAlert"))); }
    void OnDone() override { delete this; }
  };
  answered_("WatchAlert", TraitsOf(ErrorCode::kNotBuilt).name);
  return new Refusal;
}

}  // namespace tocsin::audit
