// The parts that every service has: log, metrics, spans, readiness, ops server, registry.
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

// Construct it in main() after telemetry::StopSignal and before all other parts.
class Runtime {
 public:
  // Raises the limit of open files, loads the registry and starts the ops server. Fails with
  // kInvalidConfig.
  static Result<std::unique_ptr<Runtime>> Start(const BaseSettings& settings,
                                                const std::vector<config::SettingSource>& sources,
                                                const telemetry::StopSignal& stop);
  ~Runtime();

  telemetry::Metrics& metrics() { return metrics_; }
  telemetry::Readiness& readiness() { return readiness_; }
  RegistrySource& registry() { return *registry_; }
  telemetry::SpanExporter& spans() { return spans_; }

  // Hooks that log the client's messages, export its statistics (label `client`), and stop the
  // process after a fatal error: a restart reads unfinished records again.
  kafka::Hooks KafkaHooks(const std::string& client);

  // The same for a producer, with metrics of its publishes.
  kafka::Hooks ProducerHooks(const std::string& client);

  // Stops the ops server. Call it before the destruction of the parts whose gauges it shows.
  void CloseOps();

  // Writes the queued log lines and ends the process with exit code 0, without destructors: for a
  // part that cannot be stopped in time, when all data is on disk.
  [[noreturn]] void ExitNow();

  // Counts the error of a dependency, and logs it at most once per second and reason.
  void ReportDependencyError(const Error& error);

 private:
  struct Parts;
  Runtime(const BaseSettings& settings, const telemetry::StopSignal& stop);
  void ExportReadiness();

  const telemetry::StopSignal& stop_;
  telemetry::Metrics metrics_;
  telemetry::Readiness readiness_;
  telemetry::SpanExporter spans_;
  std::unique_ptr<RegistrySource> registry_;
  std::unique_ptr<Parts> parts_;
};

}  // namespace tocsin::service
