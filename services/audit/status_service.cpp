#include "services/audit/status_service.h"

#include <atomic>
#include <utility>

#include "common/base/uuid.h"
#include "common/domain/registry.h"
#include "services/audit/alert_list.h"
#include "services/audit/alert_reader.h"
#include "services/audit/watch_call.h"

namespace tocsin::audit {
namespace {

// It may wait for a position before it reads.
class GetAlertCall final : public Call {
 public:
  GetAlertCall(StatusService::Parts parts, const Answered& answered, v1::GetAlertResponse& response)
      : Call("GetAlert", parts.readers, answered), parts_(parts), response_(response) {}

  void Begin(const grpc::CallbackServerContext& context, const v1::GetAlertRequest& request) {
    if (const Status started = TryBegin(context, request); !started) End(started);
  }

  // The caller left. While the call waits for a position nobody else holds it; later a reader does.
  void OnCancel() override {
    if (parts_.board.Forget(ticket_.load())) Finish(grpc::Status::CANCELLED);
  }

 private:
  Status TryBegin(const grpc::CallbackServerContext& context, const v1::GetAlertRequest& request) {
    TOCSIN_TRY(client_id_, parts_.door.Admit(context, Scope::kStatus));
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
                                  End(folded);
                                });
    return {};
  }

  void Read() {
    Work([this](postgres::Session& session) -> Status {
      TOCSIN_TRY(*response_.mutable_alert(), ReadAlert(session, client_id_, alert_id_));
      return {};
    });
  }

  const StatusService::Parts parts_;
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

Status CheckAlertId(const std::string& alert_id) {
  if (IsUuid(alert_id)) return {};
  return Fail(ErrorCode::kInvalidArgument, "an alert's id is a UUID in lower case", "alert_id");
}

}  // namespace

Status CheckPosition(const v1::Position& at, const FoldedTopics& topics) {
  if (!topics.KindOf(at.topic()))
    return Fail(ErrorCode::kInvalidArgument, "no topic of alerts", "min_position.topic");
  if (at.partition() < 0 || at.partition() >= kLanePartitions)
    return Fail(ErrorCode::kInvalidArgument, "no partition of that topic",
                "min_position.partition");
  if (at.offset() < 0)
    return Fail(ErrorCode::kInvalidArgument, "an offset is not negative", "min_position.offset");
  return {};
}

Result<GetAlertQuery> ParseGetAlert(const v1::GetAlertRequest& request,
                                    const FoldedTopics& topics) {
  GetAlertQuery query;
  TOCSIN_CHECK_OK(CheckAlertId(request.alert_id()));
  query.alert_id = request.alert_id();
  TOCSIN_TRY(query.wait, ParseWait(request));
  if (!request.has_min_position()) return query;
  TOCSIN_CHECK_OK(CheckPosition(request.min_position(), topics));
  query.min_position = request.min_position();
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
                                                    const v1::ListAlertsRequest* request,
                                                    v1::ListAlertsResponse* response) {
  auto* call = new Call("ListAlerts", parts_.readers, answered_);  // deletes itself in OnDone
  const auto parsed = [&]() -> Result<AlertQuery> {
    TOCSIN_TRY(const std::string client, parts_.door.Admit(*context, Scope::kStatus));
    return ParseListAlerts(*request, client, parts_.vault);
  };
  Result<AlertQuery> query = parsed();
  if (!query) {
    call->End(Fail(query.error()));
    return call;
  }
  call->Work([this, query = *std::move(query), response](postgres::Session& session) -> Status {
    TOCSIN_TRY(*response, audit::ListAlerts(session, query, parts_.vault));
    return {};
  });
  return call;
}

grpc::ServerWriteReactor<v1::WatchAlertResponse>* StatusService::WatchAlert(
    grpc::CallbackServerContext* context, const v1::WatchAlertRequest* request) {
  WatchCall* call = WatchCall::Make(parts_.watch, parts_.board, answered_);
  std::optional<v1::Position> min_position;
  const auto parsed = [&]() -> Result<std::string> {
    TOCSIN_TRY(std::string client, parts_.door.Admit(*context, Scope::kStatus));
    TOCSIN_CHECK_OK(CheckAlertId(request->alert_id()));
    if (request->has_min_position()) {
      TOCSIN_CHECK_OK(CheckPosition(request->min_position(), parts_.topics));
      min_position = request->min_position();
    }
    return client;
  };
  if (const auto client = parsed(); client)
    call->Begin(*client, request->alert_id(), min_position);
  else
    call->End(client.error());
  return call;
}

}  // namespace tocsin::audit
