// tocsin-audit: projects Kafka topics into PostgreSQL and serves the status of alerts.
#include "common/crypto/keyring.h"
#include "common/crypto/vault.h"
#include "common/telemetry/fatal.h"
#include "common/telemetry/log.h"
#include "services/audit/operations/api_server.h"
#include "services/audit/operations/health_checks.h"
#include "services/audit/operations/maintenance.h"
#include "services/audit/operations/projector.h"
#include "services/audit/operations/shutdown_deadline.h"

namespace tocsin::audit {
namespace {

using telemetry::Log;
using telemetry::Severity;

// The components, in the order of their construction.
int Run(const Config& config, service::Runtime& runtime, crypto::Keyring keyring,
        const telemetry::StopSignal& stop) {
  ShutdownDeadline deadline(runtime);
  crypto::KeyringVault vault(std::move(keyring));
  AuditMetrics metrics(runtime.metrics(), config.writers);
  runtime.readiness().Declare("postgres");
  const auto kafka = KafkaClients::Connect(config.base.kafka, runtime, stop);
  if (!kafka) return telemetry::ReportFatal(kafka.error());
  if (*kafka == nullptr) return EXIT_SUCCESS;
  const std::string& cluster_id = (*kafka)->cluster_id();
  const ProjectedTopics topics{Topics(config.base.kafka.prefix)};
  Maintenance maintenance(
      std::make_unique<Projection>(config.postgres, cluster_id, topics), config.postgres,
      [&](const AlertCounts& counts) { metrics.OnCounts(counts); },
      [&](const Error& error) { runtime.ReportDependencyError(error); });
  ApiServer api(config, cluster_id, runtime, metrics, vault, (*kafka)->producer());
  const auto projector =
      Projector::Start(config, cluster_id, runtime, metrics,
                       {.on_applied = [&](const AppliedBatch& batch) { api.OnApplied(batch); },
                        .waiting = [&] { return api.waiter().waiting() > 0; }});
  if (!projector) return telemetry::ReportFatal(projector.error());
  if (const Status started = api.Start(); !started) return telemetry::ReportFatal(started.error());
  const Gauges gauges(runtime.metrics(),
                      {topics, [&] { return (*projector)->PartitionGauges(); }, api.waiter(),
                       api.subscriptions(), api.readers(), config.waiting_reads});
  postgres::Session health_session(config.postgres);
  const service::Health health(runtime.readiness(), MakeHealthChecks(**kafka, health_session),
                               [&](bool ready) { api.server().SetReady(ready); });
  Log(Severity::kInfo, "service.started", "started", {{"port", api.server().port()}});

  stop.Wait();
  Log(Severity::kInfo, "service.draining", "draining");
  deadline.Start(config.base.drain);
  runtime.readiness().StartDraining();
  const bool drained = api.Drain(config.base.drain);
  const bool stopped = (*projector)->Stop();
  Log(Severity::kInfo, "service.stopped", "stopped");
  if (!drained || !stopped) runtime.ExitNow();
  return EXIT_SUCCESS;
}

int Main(int argc, char** argv) {
  const config::CommandLine line = config::ParseCommandLine(
      argc, argv, "Projects Kafka topics into PostgreSQL and serves the status of alerts.");
  if (line.exit_code) return *line.exit_code;
  config::Reader reader(line);
  const Config config = Config::Read(reader);
  if (const auto exit_code = service::Conclude(reader, config.base)) return *exit_code;
  const telemetry::StopSignal stop;  // before any thread: it handles SIGTERM from here on
  auto keyring = crypto::Keyring::Load(config.base.keyring_file);
  if (!keyring) return telemetry::ReportFatal(keyring.error());
  const auto runtime = service::Runtime::Start(config.base, reader.sources(), stop);
  if (!runtime) return telemetry::ReportFatal(runtime.error());
  return Run(config, **runtime, *std::move(keyring), stop);
}

}  // namespace
}  // namespace tocsin::audit

int main(int argc, char** argv) { return tocsin::audit::Main(argc, argv); }
