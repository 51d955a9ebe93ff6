// The metrics of tocsin-audit.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/kafka/projection_consumer.h"
#include "common/postgres/reader_pool.h"
#include "common/rpc/request_metrics.h"
#include "common/telemetry/metrics.h"
#include "services/audit/projection/projection.h"
#include "services/audit/query/alert_counts.h"
#include "services/audit/rpc/alert_subscriptions.h"
#include "services/audit/rpc/projection_waiter.h"
#include "services/audit/rpc/unary_request.h"

namespace tocsin::audit {

// What the components report. Thread-safe, does not block. `metrics` outlives it.
class AuditMetrics {
 public:
  // `writers` is the number of writers of the projection.
  AuditMetrics(telemetry::Metrics& metrics, size_t writers);

  // A batch was committed. Logs the positions of unparsed records.
  void OnApplied(const AppliedBatch& batch);

  // Calls `apply` with the batch of a writer (numbered from 0), and measures it.
  Status Measure(size_t writer, std::span<const IncomingRecord> records,
                 const std::function<Status(std::span<const IncomingRecord>)>& apply);

  // A count that failed keeps its last value.
  void OnCounts(const AlertCounts& counts);

  // A gRPC request ended. Streams are counted but not timed.
  void OnRequest(std::string_view method, std::optional<ErrorCode> error, Micros duration);

 private:
  std::map<TopicKind, telemetry::Counter*> records_;
  telemetry::Counter& new_events_;
  telemetry::Counter& unparsed_;
  telemetry::Histogram& batch_seconds_;
  std::vector<telemetry::Gauge*> batch_times_;             // by writer
  std::map<std::string, telemetry::Gauge*> alerts_;        // by state
  std::map<std::string, telemetry::Gauge*> dead_letters_;  // by channel
  telemetry::Gauge& oldest_dead_letter_;
  telemetry::Gauge& overdue_;
  telemetry::Gauge& mismatches_;
  telemetry::Gauge& in_doubt_;
  telemetry::Gauge& oldest_in_doubt_;
  rpc::RequestMetrics requests_;
};

// Gauges of the current state, updated whenever the metrics are read, until *this is destroyed.
class Gauges {
 public:
  struct Parts {
    const ProjectedTopics& topics;
    // Of the assigned partitions, by writer.
    std::function<std::vector<std::vector<kafka::ProjectionGauge>>()> partitions;
    const ProjectionWaiter& waiter;
    const AlertSubscriptions& subscriptions;
    const postgres::ReaderPool& readers;
    size_t max_waiting_reads;
  };

  // The parts outlive it; `metrics` may outlive both.
  Gauges(telemetry::Metrics& metrics, const Parts& parts);
  ~Gauges();
  Gauges(const Gauges&) = delete;
  Gauges& operator=(const Gauges&) = delete;

 private:
  struct Lifetime;
  std::shared_ptr<Lifetime> lifetime_;
};

}  // namespace tocsin::audit
