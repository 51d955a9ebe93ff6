#include "services/audit/rpc/status_service.h"

#include <atomic>
#include <utility>

#include "common/domain/registry/registry.h"
#include "services/audit/query/alert_list.h"
#include "services/audit/query/alert_reader.h"
#include "services/audit/rpc/status_requests.h"
#include "services/audit/rpc/watch_stream.h"

namespace tocsin::audit {
namespace {

// May wait for a position before it reads.
class GetAlertRequest final : public UnaryRequest {
 public:
  GetAlertRequest(StatusService::Parts parts, const RequestObserver& observer, v1::Alert& response)
      : UnaryRequest("GetAlert", parts.readers, observer), parts_(parts), response_(response) {}

  void Start(const grpc::CallbackServerContext& context, const v1::GetAlertRequest& request) {
    if (const Status begun = Begin(context, request); !begun) End(begun);
  }

  // While the request waits for a position nobody else holds it; later a reader does.
  void OnCancel() override {
    if (parts_.waiter.Forget(wait_id_.load())) Finish(grpc::Status::CANCELLED);
  }

 private:
  Status Begin(const grpc::CallbackServerContext& context, const v1::GetAlertRequest& request) {
    TOCSIN_TRY(client_id_, parts_.gate.Admit(context, Scope::kStatus));
    TOCSIN_TRY(GetAlertQuery query, ParseGetAlert(request, parts_.topics));
    alert_id_ = std::move(query.alert_id);
    if (!query.consistency_token) {
      Read();
      return {};
    }
    const records::v1::Position& at = *query.consistency_token;
    wait_id_ = parts_.waiter.Wait({at.topic(), at.partition()}, at.offset(),
                                  std::chrono::steady_clock::now() + query.wait,
                                  [this](const Status& visible) {
                                    if (visible) return Read();
                                    End(visible);
                                  });
    return {};
  }

  void Read() {
    Run([this](postgres::Session& session) -> Status {
      TOCSIN_TRY(response_, ReadAlert(session, client_id_, alert_id_));
      return {};
    });
  }

  const StatusService::Parts parts_;
  v1::Alert& response_;
  std::string client_id_;
  std::string alert_id_;
  std::atomic<ProjectionWaiter::WaitId> wait_id_{0};
};

}  // namespace

grpc::ServerUnaryReactor* StatusService::GetAlert(grpc::CallbackServerContext* context,
                                                  const v1::GetAlertRequest* request,
                                                  v1::Alert* response) {
  auto* reactor = new GetAlertRequest(parts_, observer_, *response);  // deletes itself
  reactor->Start(*context, *request);
  return reactor;
}

grpc::ServerUnaryReactor* StatusService::ListAlerts(grpc::CallbackServerContext* context,
                                                    const v1::ListAlertsRequest* request,
                                                    v1::ListAlertsResponse* response) {
  auto* reactor = new UnaryRequest("ListAlerts", parts_.readers, observer_);  // deletes itself
  const auto parse = [&]() -> Result<AlertFilter> {
    TOCSIN_TRY(const std::string client, parts_.gate.Admit(*context, Scope::kStatus));
    return ParseListAlerts(*request, client, parts_.vault);
  };
  Result<AlertFilter> filter = parse();
  if (!filter) {
    reactor->End(Fail(filter.error()));
    return reactor;
  }
  reactor->Run([this, filter = *std::move(filter), response](postgres::Session& session) -> Status {
    TOCSIN_TRY(*response, audit::ListAlerts(session, filter, parts_.vault));
    return {};
  });
  return reactor;
}

grpc::ServerWriteReactor<v1::WatchAlertResponse>* StatusService::WatchAlert(
    grpc::CallbackServerContext* context, const v1::WatchAlertRequest* request) {
  WatchStream* stream = WatchStream::Make(parts_.subscriptions, parts_.waiter, observer_);
  const auto start = [&]() -> Status {
    TOCSIN_TRY(const std::string client, parts_.gate.Admit(*context, Scope::kStatus));
    TOCSIN_TRY(const std::vector<WatchedAlert> alerts, ParseWatchAlert(*request, parts_.topics));
    stream->Start(client, alerts);
    return {};
  };
  if (const Status started = start(); !started) stream->End(started.error());
  return stream;
}

}  // namespace tocsin::audit
