// StatusService on gRPC's callback API: handlers never block; readers' threads do the reading.
#pragma once

#include "common/ports/vault.h"
#include "common/postgres/reader_pool.h"
#include "common/rpc/admission_gate.h"
#include "services/audit/projection/record_decoder.h"
#include "services/audit/rpc/alert_subscriptions.h"
#include "services/audit/rpc/projection_waiter.h"
#include "services/audit/rpc/unary_request.h"
#include "tocsin/v1/status_service.grpc.pb.h"

namespace tocsin::audit {

class StatusService final : public v1::StatusService::CallbackService {
 public:
  struct Parts {
    rpc::AdmissionGate& gate;
    const ProjectedTopics& topics;
    ProjectionWaiter& waiter;
    postgres::ReaderPool& readers;
    Vault& vault;
    AlertSubscriptions& subscriptions;
  };

  // The parts outlive every request.
  StatusService(Parts parts, RequestObserver observer)
      : parts_(parts), observer_(std::move(observer)) {}

  // Another client's alert is kNotFound, like an unknown one.
  grpc::ServerUnaryReactor* GetAlert(grpc::CallbackServerContext* context,
                                     const v1::GetAlertRequest* request,
                                     v1::Alert* response) override;

  grpc::ServerUnaryReactor* ListAlerts(grpc::CallbackServerContext* context,
                                       const v1::ListAlertsRequest* request,
                                       v1::ListAlertsResponse* response) override;

  grpc::ServerWriteReactor<v1::WatchAlertResponse>* WatchAlert(
      grpc::CallbackServerContext* context, const v1::WatchAlertRequest* request) override;

 private:
  Parts parts_;
  RequestObserver observer_;
};

}  // namespace tocsin::audit
