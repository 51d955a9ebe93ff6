// What every service is made of around its work: log, metrics, readiness, the operators' port, the
// registry.
#pragma once

#include <memory>
#include <string>

#include "common/config/reader.h"
#include "common/kafka/settings.h"
#include "common/ports/registry_source.h"
#include "common/service/settings.h"
#include "common/telemetry/metrics.h"
#include "common/telemetry/readiness.h"
#include "common/telemetry/spans.h"
#include "common/telemetry/stop_signal.h"

namespace tocsin::service {

// Lives as long as main(). Made after telemetry::StopSignal, before any other part.
class Runtime {
 public:
  // Loads the registry and opens the operators' port. Fails with kInvalidConfig.
  static Result<std::unique_ptr<Runtime>> Start(const BaseSettings& settings,
                                                const std::vector<config::SettingSource>& sources,
                                                const telemetry::StopSignal& stop);
  ~Runtime();

  telemetry::Metrics& metrics() { return metrics_; }
  telemetry::Readiness& readiness() { return readiness_; }
  RegistrySource& registry() { return *registry_; }
  telemetry::SpanExporter& spans() { return spans_; }

  // Hooks that log a client's warnings, keep gauges of its statistics (label `client`), and stop
  // the process when it gave up: a restart reads again what it had not finished.
  kafka::Hooks KafkaHooks(const std::string& client);

  // The same for a producer, with its rates, errors and times beside.
  kafka::Hooks ProducerHooks(const std::string& client);

  // Closes the operators' port. To be called before the parts end whose gauges it shows.
  void CloseOps();

  // Ends the process with success, with nothing but the log brought to its end: for a part that
  // cannot be taken down cleanly when all that matters is on disk.
  [[noreturn]] void ExitNow();

  // One line: what is wrong with a neighbour, at most once a second for each reason; counted
  // always.
  void NeighbourFailed(const Error& error);

 private:
  struct Parts;
  Runtime(const BaseSettings& settings, const telemetry::StopSignal& stop);
  void ShowReadiness();

  const telemetry::StopSignal& stop_;
  telemetry::Metrics metrics_;
  telemetry::Readiness readiness_;
  telemetry::SpanExporter spans_;
  std::unique_ptr<RegistrySource> registry_;
  std::unique_ptr<Parts> parts_;
};

}  // namespace tocsin::service
