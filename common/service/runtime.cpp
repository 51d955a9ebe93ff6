#include "common/service/runtime.h"

#include <unistd.h>

#include <array>
#include <map>
#include <mutex>
#include <utility>

#include "common/registry_file/registry_file.h"
#include "common/registry_file/registry_watch.h"
#include "common/service/file_limit.h"
#include "common/service/memory.h"
#include "common/telemetry/log.h"
#include "common/telemetry/ops_server.h"

namespace tocsin::service {
namespace {

using telemetry::Log;
using telemetry::Severity;

constexpr std::chrono::seconds kErrorLogInterval{1};

// Errors of dependencies. Series of other errors are created by their first event.
constexpr std::array kDependencyErrors{ErrorCode::kKafkaUnavailable, ErrorCode::kRedisUnavailable,
                                       ErrorCode::kPostgresUnavailable, ErrorCode::kKmsUnavailable,
                                       ErrorCode::kOverloaded};
constexpr std::array<std::pair<PublishOutcome, const char*>, 3> kPublishOutcomes{{
    {PublishOutcome::kPersisted, "persisted"},
    {PublishOutcome::kNotPersisted, "not_persisted"},
    {PublishOutcome::kUnknown, "unknown"},
}};

telemetry::Counter& ErrorCounter(telemetry::Metrics& metrics, std::string_view reason) {
  return metrics.Counter("tocsin_dependency_errors_total", "Errors of dependencies",
                         {{"reason", std::string(reason)}});
}

void LogKafka(const std::string& client, int level, std::string_view line) {
  const Severity severity = level <= 3   ? Severity::kError
                            : level <= 4 ? Severity::kWarn
                            : level <= 6 ? Severity::kInfo
                                         : Severity::kDebug;
  Log(severity, "kafka.client", line, {{"client", client}});
}

}  // namespace

struct Runtime::Parts {
  CodeReleaser code_releaser;
  std::unique_ptr<telemetry::LogSession> log;
  std::unique_ptr<telemetry::OpsServer> ops;
  std::unique_ptr<registry_file::RegistryWatch> watch;
  std::mutex mutex;
  std::map<std::string_view, std::chrono::steady_clock::time_point> last_logged;  // by reason
};

Runtime::Runtime(const BaseSettings& settings, const telemetry::StopSignal& stop)
    : stop_(stop),
      metrics_(settings.service),
      spans_({settings.otlp_endpoint, settings.service, settings.instance}, metrics_),
      parts_(std::make_unique<Parts>()) {
  ExportReadiness();
  for (const ErrorCode code : kDependencyErrors) ErrorCounter(metrics_, TraitsOf(code).name);
}

Runtime::~Runtime() = default;

Result<std::unique_ptr<Runtime>> Runtime::Start(const BaseSettings& settings,
                                                const std::vector<config::SettingSource>& sources,
                                                const telemetry::StopSignal& stop) {
  RaiseFileLimit();
  std::unique_ptr<Runtime> runtime(new Runtime(settings, stop));
  Parts& parts = *runtime->parts_;
  parts.log = std::make_unique<telemetry::LogSession>(
      telemetry::LogOptions{.service_name = settings.service,
                            .service_instance_id = settings.instance,
                            .level = settings.log_level});
  telemetry::SetLogLevel(settings.log_level);
  Log(Severity::kInfo, "service.starting", "service starting", {{"version", telemetry::Version()}});
  for (const config::SettingSource& source : sources)
    Log(Severity::kInfo, "config.source", "setting read",
        {{"setting", source.name},
         {"source", config::NameOf(source.source)},
         {"place", source.place}});
  TOCSIN_TRY(auto registry, registry_file::Load(settings.registry_file));
  runtime->registry_ = std::make_unique<RegistrySource>(std::move(registry));
  telemetry::Counter& succeeded = runtime->metrics_.Counter(
      "tocsin_registry_reloads_total", "Reloads of the registry file", {{"result", "success"}});
  telemetry::Counter& failed = runtime->metrics_.Counter(
      "tocsin_registry_reloads_total", "Reloads of the registry file", {{"result", "failure"}});
  telemetry::Gauge& successful = runtime->metrics_.Gauge(
      "tocsin_registry_last_reload_successful", "1 if the registry file is valid and in use");
  successful.Set(1);
  parts.watch = std::make_unique<registry_file::RegistryWatch>(
      settings.registry_file, *runtime->registry_,
      [&succeeded, &failed, &successful](const Status& loaded) {
        (loaded ? succeeded : failed).Increment();
        successful.Set(loaded ? 1 : 0);
        Log(loaded ? Severity::kInfo : Severity::kError, "registry.reloaded",
            loaded ? "registry reloaded" : loaded.error().message);
      });
  TOCSIN_TRY(telemetry::OpsServer ops,
             telemetry::OpsServer::Start({settings.ops_address, settings.service},
                                         runtime->metrics_, runtime->readiness_));
  parts.ops = std::make_unique<telemetry::OpsServer>(std::move(ops));
  return runtime;
}

kafka::Hooks Runtime::KafkaHooks(const std::string& client) {
  const telemetry::Labels labels{{"client", client}};
  telemetry::Gauge& queued = metrics_.Gauge("tocsin_kafka_producer_queue_records",
                                            "Records in the producer queue", labels);
  telemetry::Gauge& round_trip =
      metrics_.Gauge("tocsin_kafka_round_trip_p99_seconds",
                     "Round trip to the slowest broker, 99th percentile", labels);
  telemetry::Counter& errors =
      metrics_.Counter("tocsin_kafka_send_errors_total", "Requests to brokers that failed", labels);
  telemetry::Counter& rebalances =
      metrics_.Counter("tocsin_kafka_rebalances_total", "Rebalances of the consumer group", labels);
  kafka::Hooks hooks;
  hooks.log = [client](int level, std::string_view line) { LogKafka(client, level, line); };
  hooks.statistics = [&](const kafka::ClientStatistics& statistics) {
    queued.Set(static_cast<double>(statistics.queued));
    round_trip.Set(static_cast<double>(statistics.round_trip_p99) / 1e6);
    errors.RaiseTo(static_cast<double>(statistics.send_errors));
    rebalances.RaiseTo(static_cast<double>(statistics.rebalances));
  };
  hooks.fatal = [this, client](const Error& error) {
    Log(Severity::kFatal, "kafka.failed", error.message, {{"client", client}});
    readiness_.Set("kafka", false, error.message);
    stop_.Request();
  };
  return hooks;
}

kafka::Hooks Runtime::ProducerHooks(const std::string& client) {
  kafka::Hooks hooks = KafkaHooks(client);
  std::map<PublishOutcome, telemetry::Counter*> counters;
  for (const auto& [outcome, name] : kPublishOutcomes)
    counters[outcome] = &metrics_.Counter("tocsin_kafka_publishes_total", "Records published",
                                          {{"client", client}, {"outcome", name}});
  telemetry::Histogram& seconds =
      metrics_.Histogram("tocsin_kafka_publish_seconds", "From publish to delivery report",
                         telemetry::kRequestSeconds, {{"client", client}});
  hooks.delivery_report = [counters = std::move(counters), &seconds](PublishOutcome outcome,
                                                                     Micros latency) {
    counters.at(outcome)->Increment();
    seconds.Observe(std::chrono::nanoseconds(latency));
  };
  return hooks;
}

void Runtime::ExportReadiness() {
  metrics_.OnCollect([this] {
    metrics_.Gauge("tocsin_ready", "1 if the process is ready").Set(readiness_.ready() ? 1 : 0);
    for (const telemetry::DependencyState& state : readiness_.dependencies())
      metrics_
          .Gauge("tocsin_dependency_up", "1 if the dependency is available",
                 {{"dependency", state.name},
                  {"role", state.role == telemetry::DependencyRole::kRequired ? "required"
                                                                              : "informative"}})
          .Set(state.ok ? 1 : 0);
  });
}

void Runtime::CloseOps() { parts_->ops.reset(); }

void Runtime::ExitNow() {
  parts_->log.reset();
  _exit(0);
}

void Runtime::ReportDependencyError(const Error& error) {
  const std::string_view reason = TraitsOf(error.code).name;
  ErrorCounter(metrics_, reason).Increment();
  const auto now = std::chrono::steady_clock::now();
  {
    const std::lock_guard lock(parts_->mutex);
    auto& last = parts_->last_logged[reason];
    if (now - last < kErrorLogInterval) return;
    last = now;
  }
  Log(Severity::kWarn, "dependency.error", error.message, {{"reason", reason}});
}

}  // namespace tocsin::service
