#include "services/audit/operations/api_server.h"

#include <algorithm>

namespace tocsin::audit {
namespace {

constexpr std::chrono::milliseconds kQuietTimeout{2'000};  // for clients to find another replica

RequestObserver ObserverOf(AuditMetrics& metrics) {
  return [&metrics](std::string_view method, std::optional<ErrorCode> error, Micros duration) {
    metrics.OnRequest(method, error, duration);
  };
}

}  // namespace

ApiServer::ApiServer(const Config& config, const std::string& cluster_id, service::Runtime& runtime,
                     AuditMetrics& metrics, Vault& vault, RecordLog& log)
    : address_(config.grpc_address),
      topics_(config.base.kafka.prefix),
      projected_topics_(topics_),
      waiter_(config.postgres, cluster_id),
      subscriptions_(config.postgres),
      readers_(config.postgres, config.readers, config.waiting_reads),
      gate_(runtime.registry()),
      status_({gate_, projected_topics_, waiter_, readers_, vault, subscriptions_},
              ObserverOf(metrics)),
      audit_(gate_),
      admin_({clock_, runtime.registry(), gate_, readers_, vault, log, topics_},
             ObserverOf(metrics)) {}

Status ApiServer::Start() {
  TOCSIN_TRY(server_, rpc::Server::Start({.address = address_,
                                          .names = {v1::StatusService::service_full_name(),
                                                    v1::AuditService::service_full_name(),
                                                    v1::AdminService::service_full_name()}},
                                         {&status_, &audit_, &admin_}));
  server_->SetServing(true);
  return {};
}

void ApiServer::OnApplied(const AppliedBatch& batch) {
  waiter_.Advance(batch.next);
  subscriptions_.Notify(batch.changed);
}

bool ApiServer::Drain(std::chrono::milliseconds limit) {
  const auto start = std::chrono::steady_clock::now();
  server_->SetServing(false);
  gate_.Close();
  waiter_.Close();
  subscriptions_.Close();
  // gRPC's shutdown fails new requests with CANCELLED, which clients do not retry. It therefore
  // starts when no client sends requests any more.
  const bool quiet = gate_.WaitUntilQuiet(start + std::min(limit, kQuietTimeout));
  readers_.Close();  // after it every request has its response
  if (quiet) server_->Drain(std::chrono::system_clock::now() + limit);
  return quiet;
}

}  // namespace tocsin::audit
