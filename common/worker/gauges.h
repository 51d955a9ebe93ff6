// The worker's own metrics: what it counts, and gauges brought up to date when they are read.
#pragma once

#include <map>

#include "common/delivery/reconciliation.h"
#include "common/delivery/relay.h"
#include "common/delivery/sender_pool.h"
#include "common/kafka/group_consumer.h"
#include "common/redis/server.h"
#include "common/telemetry/metrics.h"

namespace tocsin::worker {

// Counts passages under `channel` ("sms", "voice"); what the pool reports to.
SenderPoolObserver Observe(telemetry::Metrics& metrics, const std::string& channel,
                           std::function<void(const Error&)> held);

// Counts what looks into Twilio's books find, and shows how many tries are open.
ReconciliationObserver ObserveReconciliation(telemetry::Metrics& metrics,
                                             const std::string& channel,
                                             std::function<void(const Error&)> failed);

// Parts whose state the gauges show. They must outlive `metrics`' last reading.
struct GaugedParts {
  const SenderPool& pool;
  SenderPoolSettings limits;
  const redis::Server& redis;
  size_t redis_connections;  // at most
  const Relay& relay;
  std::map<std::string, const kafka::GroupConsumer*> consumers;  // by group label
};
void ExportGauges(telemetry::Metrics& metrics, GaugedParts parts);

}  // namespace tocsin::worker
