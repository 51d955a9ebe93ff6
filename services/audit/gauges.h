// The metrics of tocsin-audit.
#pragma once

#include <memory>

#include "common/kafka/fold_consumer.h"
#include "common/telemetry/metrics.h"
#include "services/audit/fold_store.h"
#include "services/audit/ledger.h"
#include "services/audit/status_service.h"

namespace tocsin::audit {

// Counts what was folded and logs the places of records that could not be read.
std::function<void(const Folded&)> CountFolded(telemetry::Metrics& metrics);

// Measures `fold`, and tells `failed` of its errors.
std::function<Status(std::span<const IncomingRecord>)> Measured(
    telemetry::Metrics& metrics, std::function<Status(std::span<const IncomingRecord>)> fold,
    std::function<void(const Error&)> failed);

// Shows the latest count.
std::function<void(const LedgerCount&)> ShowLedger(telemetry::Metrics& metrics);

// Counts every call by its reason and measures those that are not streams.
Answered CountAnswers(telemetry::Metrics& metrics);

// Records in the logs and not folded, by kind of topic, and who waits: brought up to date whenever
// the metrics are read, until *this is gone. `most_reads` may wait for a reader. The parts outlive
// it; `metrics` may outlive both.
class Gauges {
 public:
  Gauges(telemetry::Metrics& metrics, const FoldedTopics& topics,
         const kafka::FoldConsumer& consumer, const PositionBoard& board,
         const postgres::ReaderPool& readers, size_t most_reads, const AlertWatch& watch);
  ~Gauges();
  Gauges(const Gauges&) = delete;
  Gauges& operator=(const Gauges&) = delete;

 private:
  struct Life;
  std::shared_ptr<Life> life_;
};

}  // namespace tocsin::audit
