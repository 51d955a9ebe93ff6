// tocsin-ingress: accepts alerts from clients and webhooks from Twilio, and publishes both.
#include "common/crypto/vault.h"
#include "common/kafka/adaptive_producer.h"
#include "common/kafka/admin.h"
#include "common/kafka/log_reader.h"
#include "common/redis/claim_store.h"
#include "common/service/health.h"
#include "common/telemetry/fatal.h"
#include "common/telemetry/log.h"
#include "services/ingress/config.h"
#include "services/ingress/observers.h"
#include "services/ingress/redis_stores.h"
#include "services/ingress/shutdown.h"

namespace tocsin::ingress {
namespace {

constexpr std::chrono::milliseconds kHealthTimeout{2'000};
// From the admission of an alert to its record in a lane: the queue of the store, and the producer,
// which may have to replace its client.
constexpr Micros kMaxPublishDelay =
    2 * kafka::kIngressProfile.delivery_timeout + std::chrono::milliseconds(3'000);
constexpr std::chrono::milliseconds kWebhookTimeout{10'000};  // Twilio's is 15 s
// Alerts in flight leave room for webhooks and events in the producer.
constexpr size_t kOtherBytes = 8 * 1024 * 1024;
static_assert(kMaxBytesInFlight + kOtherBytes <=
              static_cast<size_t>(kafka::kIngressProfile.max_kbytes) * 1024);

// The cluster responds, and since the first such check the producer knows every topic that the
// ingress writes: the first alert does not wait for metadata.
std::function<Status()> KafkaCheck(kafka::Admin& admin, kafka::AdaptiveProducer& producer,
                                   const Topics& topics) {
  return [&admin, &producer, names = topics.WrittenByIngress(), known = false]() mutable -> Status {
    if (!known) TOCSIN_CHECK_OK(producer.FetchMetadata(names, kHealthTimeout));
    known = true;
    TOCSIN_CHECK_OK(admin.ClusterId(kHealthTimeout));
    return {};
  };
}

// Serves until a stop is requested.
Status Serve(const Config& config, service::Runtime& runtime, crypto::Keyring keyring,
             const telemetry::StopSignal& stop) {
  const SystemClock clock;
  const Topics topics(config.base.kafka.prefix);
  crypto::KeyringVault vault(std::move(keyring));
  TOCSIN_TRY(kafka::Admin admin,
             kafka::Admin::Create(config.base.kafka, runtime.KafkaHooks("admin")));
  TOCSIN_TRY(const auto producer,
             kafka::AdaptiveProducer::Create(
                 config.base.kafka,
                 kafka::IngressProfile(static_cast<std::int64_t>(config.acceptance.max_in_flight)),
                 [&](const std::string& client) { return runtime.ProducerHooks(client); }));
  RedisStores stores(config.redis);
  kafka::LogReader history(config.base.kafka, runtime.KafkaHooks("history"));
  AcceptanceRestoration restoration({clock, stores.restorer, history, topics}, kMaxPublishDelay,
                                    ObserveRestoration(runtime));
  stores.OnDataLoss([&restoration] { restoration.NotifyDataLoss(); });
  Acceptance acceptance({clock, runtime.registry(), stores.admissions, vault, *producer, topics,
                         [&](WallTime time) { restoration.NotifyNotStored(time); }},
                        config.acceptance);
  LogStartCheck start_check(history);
  AlertActions alert_actions(
      {clock, runtime.registry(), stores.admissions, vault, *producer, topics, start_check},
      config.acceptance.rules);
  rpc::AdmissionGate gate(runtime.registry());
  AlertService alerts(gate, acceptance, alert_actions,
                      ObserveAlerts(runtime.metrics(), runtime.spans()));
  WorkFinder works(
      {.store =
           [&](const v1::AttemptRef& attempt) { return redis::FindWork(stores.server, attempt); },
       .log = [&](const records::v1::Position& position) -> Result<std::optional<std::string>> {
         TOCSIN_TRY(const std::optional<IncomingRecord> record, history.At(position));
         return record ? std::optional(record->value) : std::nullopt;
       }},
      clock);
  Webhooks webhooks({clock, runtime.registry(), vault, *producer, topics, works, alert_actions},
                    config.public_base_url, ObserveWebhooks(runtime.metrics(), runtime.spans()));
  AckHandler ack_handler({clock, vault, alert_actions},
                         ObserveAckLinks(runtime.metrics(), runtime.spans()));
  TOCSIN_TRY(const auto http,
             http::Server::Start({.address = config.http_address,
                                  .threads = config.http_threads,
                                  .response_timeout = kWebhookTimeout},
                                 Routed(runtime.metrics(), webhooks, ack_handler)));
  TOCSIN_TRY(const auto grpc, rpc::Server::Start({.address = config.grpc_address,
                                                  .max_message_bytes = kMaxRequestBytes,
                                                  .names = {v1::AlertService::service_full_name()}},
                                                 {&alerts}));
  ExportGauges(runtime.metrics(),
               {acceptance, config.acceptance.max_in_flight, stores.admissions, *producer, *http});
  // Emergencies are accepted without Redis, so it does not affect readiness.
  const service::Health health(
      runtime.readiness(),
      {{"kafka", KafkaCheck(admin, *producer, topics)},
       {"redis", [&] { return stores.server.Ping(); }, telemetry::DependencyRole::kInformative}},
      [&](bool ready) { grpc->SetReady(ready); });
  telemetry::Log(telemetry::Severity::kInfo, "service.started", "accepting",
                 {{"http_port", http->port()}, {"grpc_port", grpc->port()}});
  stop.Wait();
  ShutDown({runtime, *grpc, gate, alerts, acceptance, *http, works, stores.admissions, *producer},
           config.base.drain);
  stores.OnDataLoss({});  // its handler uses the restoration, which ends before the stores
  return {};
}

int Main(int argc, char** argv) {
  const config::CommandLine line = config::ParseCommandLine(
      argc, argv,
      "Accepts alerts by gRPC and Twilio's webhooks by HTTP, and publishes them to Kafka.");
  if (line.exit_code) return *line.exit_code;
  config::Reader reader(line);
  const Config config = Config::Read(reader);
  if (const auto exit_code = service::Conclude(reader, config.base)) return *exit_code;
  const telemetry::StopSignal stop;  // blocks SIGTERM in all threads, so it comes first
  auto keyring = crypto::Keyring::Load(config.base.keyring_file);
  if (!keyring) return telemetry::ReportFatal(keyring.error());
  auto runtime = service::Runtime::Start(config.base, reader.sources(), stop);
  if (!runtime) return telemetry::ReportFatal(runtime.error());
  const Status served = Serve(config, **runtime, *std::move(keyring), stop);
  return served ? 0 : telemetry::ReportFatal(served.error());
}

}  // namespace
}  // namespace tocsin::ingress

int main(int argc, char** argv) { return tocsin::ingress::Main(argc, argv); }
