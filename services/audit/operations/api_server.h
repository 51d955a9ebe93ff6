// The gRPC API of tocsin-audit.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "common/ports/clock.h"
#include "common/ports/record_log.h"
#include "common/ports/vault.h"
#include "common/postgres/reader_pool.h"
#include "common/rpc/admission_gate.h"
#include "common/rpc/server.h"
#include "common/service/runtime.h"
#include "services/audit/operations/config.h"
#include "services/audit/operations/metrics.h"
#include "services/audit/rpc/admin_service.h"
#include "services/audit/rpc/alert_subscriptions.h"
#include "services/audit/rpc/projection_waiter.h"
#include "services/audit/rpc/status_service.h"
#include "services/audit/rpc/unimplemented.h"

namespace tocsin::audit {

// The services, and what their requests read from and wait for.
class ApiServer {
 public:
  // The references outlive *this.
  ApiServer(const Config& config, const std::string& cluster_id, service::Runtime& runtime,
            AuditMetrics& metrics, Vault& vault, RecordLog& log);
  ApiServer(const ApiServer&) = delete;
  ApiServer& operator=(const ApiServer&) = delete;

  // Starts to accept requests. Fails with kInvalidConfig.
  Status Start();

  // Wakes the requests that wait for records of the batch or watch its alerts.
  void OnApplied(const AppliedBatch& batch);

  // Refuses new requests, ends waits and streams, and finishes the others. Blocks for `limit` at
  // most. Returns false if clients still sent requests: the server then accepts connections until
  // the process ends, so that its clients see UNAVAILABLE, which they retry.
  bool Drain(std::chrono::milliseconds limit);

  rpc::Server& server() { return *server_; }
  const ProjectionWaiter& waiter() const { return waiter_; }
  const AlertSubscriptions& subscriptions() const { return subscriptions_; }
  const postgres::ReaderPool& readers() const { return readers_; }

 private:
  const std::string address_;
  const SystemClock clock_;
  const Topics topics_;
  const ProjectedTopics projected_topics_;
  ProjectionWaiter waiter_;
  AlertSubscriptions subscriptions_;
  postgres::ReaderPool readers_;
  rpc::AdmissionGate gate_;
  StatusService status_;
  UnimplementedAuditService audit_;
  AdminService admin_;
  std::unique_ptr<rpc::Server> server_;
};

}  // namespace tocsin::audit
