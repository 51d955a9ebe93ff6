#include "common/service/runtime.h"

#include <map>
#include <mutex>
#include <utility>

#include "common/registry_file/registry_file.h"
#include "common/registry_file/registry_watch.h"
#include "common/telemetry/log.h"
#include "common/telemetry/ops_server.h"

namespace tocsin::service {
namespace {

using telemetry::Log;
using telemetry::Severity;

constexpr std::chrono::seconds kSameErrorEvery{1};

void LogKafka(const std::string& client, int level, std::string_view line) {
  const Severity severity = level <= 3   ? Severity::kError
                            : level <= 4 ? Severity::kWarn
                            : level <= 6 ? Severity::kInfo
                                         : Severity::kDebug;
  Log(severity, "kafka.client", line, {{"client", client}});
}

}  // namespace

struct Runtime::Parts {
  std::unique_ptr<telemetry::LogSession> log;
  std::unique_ptr<telemetry::OpsServer> ops;
  std::unique_ptr<registry_file::RegistryWatch> watch;
  std::mutex mutex;
  std::map<std::string_view, std::chrono::steady_clock::time_point> last_said;  // by reason
};

Runtime::Runtime(const BaseSettings& settings, const telemetry::StopSignal& stop)
    : stop_(stop), metrics_(settings.service), parts_(std::make_unique<Parts>()) {}

Runtime::~Runtime() = default;

Result<std::unique_ptr<Runtime>> Runtime::Start(const BaseSettings& settings,
                                                const std::vector<config::SettingSource>& sources,
                                                const telemetry::StopSignal& stop) {
  std::unique_ptr<Runtime> runtime(new Runtime(settings, stop));
  Parts& parts = *runtime->parts_;
  parts.log = std::make_unique<telemetry::LogSession>(
      telemetry::LogOptions{.service_name = settings.service,
                            .service_instance_id = settings.instance,
                            .level = settings.log_level});
  telemetry::SetLogLevel(settings.log_level);
  Log(Severity::kInfo, "service.starting", "starting", {{"version", telemetry::Version()}});
  for (const config::SettingSource& source : sources)
    Log(Severity::kInfo, "setting.source", "a setting and where it came from, never its value",
        {{"setting", source.name},
         {"source", config::NameOf(source.source)},
         {"place", source.place}});
  TOCSIN_TRY(auto registry, registry_file::Load(settings.registry_file));
  runtime->registry_ = std::make_unique<RegistrySource>(std::move(registry));
  telemetry::Counter& reloads = runtime->metrics_.Counter(
      "tocsin_registry_reloads_total", "Registry files taken into force", {{"result", "taken"}});
  telemetry::Counter& refused = runtime->metrics_.Counter(
      "tocsin_registry_reloads_total", "Registry files taken into force", {{"result", "refused"}});
  parts.watch = std::make_unique<registry_file::RegistryWatch>(
      settings.registry_file, *runtime->registry_, [&reloads, &refused](const Status& loaded) {
        (loaded ? reloads : refused).Increment();
        Log(loaded ? Severity::kInfo : Severity::kError, "registry.reloaded",
            loaded ? "the registry file is in force" : loaded.error().message);
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
                                            "Records waiting in the producer", labels);
  telemetry::Gauge& round_trip = metrics_.Gauge("tocsin_kafka_round_trip_p99_seconds",
                                                "Slowest broker's round trip, p99", labels);
  telemetry::Gauge& errors =
      metrics_.Gauge("tocsin_kafka_send_errors", "Failed requests since start", labels);
  telemetry::Gauge& rebalances =
      metrics_.Gauge("tocsin_kafka_rebalances", "Rebalances since start", labels);
  kafka::Hooks hooks;
  hooks.log = [client](int level, std::string_view line) { LogKafka(client, level, line); };
  hooks.statistics = [&](const kafka::ClientStatistics& statistics) {
    queued.Set(static_cast<double>(statistics.queued));
    round_trip.Set(static_cast<double>(statistics.round_trip_p99) / 1e6);
    errors.Set(static_cast<double>(statistics.send_errors));
    rebalances.Set(static_cast<double>(statistics.rebalances));
  };
  hooks.failed = [this, client](const Error& error) {
    Log(Severity::kFatal, "kafka.failed", error.message, {{"client", client}});
    readiness_.Set("kafka", false, error.message);
    stop_.Request();
  };
  return hooks;
}

void Runtime::CloseOps() { parts_->ops.reset(); }

void Runtime::NeighbourFailed(const Error& error) {
  const std::string_view reason = TraitsOf(error.code).name;
  metrics_
      .Counter("tocsin_neighbour_failures_total", "Calls to a neighbour that failed",
               {{"reason", std::string(reason)}})
      .Increment();
  const auto now = std::chrono::steady_clock::now();
  {
    const std::lock_guard lock(parts_->mutex);
    auto& last = parts_->last_said[reason];
    if (now - last < kSameErrorEvery) return;
    last = now;
  }
  Log(Severity::kWarn, "neighbour.failed", error.message, {{"reason", reason}});
}

}  // namespace tocsin::service
