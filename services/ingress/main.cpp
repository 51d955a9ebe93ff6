// tocsin-ingress: takes alerts from callers and webhooks from Twilio, and publishes both.
#include <algorithm>
#include <atomic>
#include <chrono>

#include "common/crypto/keyring.h"
#include "common/crypto/vault.h"
#include "common/http/server.h"
#include "common/kafka/admin.h"
#include "common/kafka/log_reader.h"
#include "common/kafka/producer.h"
#include "common/redis/admission_queue.h"
#include "common/redis/claim_store.h"
#include "common/redis/server.h"
#include "common/rpc/server.h"
#include "common/service/health.h"
#include "common/service/runtime.h"
#include "common/telemetry/explain.h"
#include "common/telemetry/log.h"
#include "services/ingress/alert_service.h"
#include "services/ingress/config.h"
#include "services/ingress/observers.h"
#include "services/ingress/webhooks.h"
#include "services/ingress/work_finder.h"

namespace tocsin::ingress {
namespace {

using namespace std::chrono_literals;
using telemetry::Log;
using telemetry::Severity;

constexpr std::chrono::milliseconds kTopicLimit{10'000};
constexpr std::chrono::milliseconds kHealthLimit{2'000};
constexpr std::chrono::milliseconds kQuietLimit{2'000};     // for callers to go elsewhere
constexpr std::chrono::milliseconds kWebhookLimit{10'000};  // Twilio gives up after 15 s

// Blocks until a stop; what it made is ended in order, nothing accepted is dropped.
int Serve(const Config& config, service::Runtime& runtime, crypto::Keyring keyring,
          const telemetry::StopSignal& stop) {
  const SystemClock clock;
  const Topics topics(config.base.kafka.prefix);
  crypto::KeyringVault vault(std::move(keyring));
  auto admin = kafka::Admin::Create(config.base.kafka, runtime.KafkaHooks("admin"));
  if (!admin) return telemetry::Explain(admin.error());
  auto producer = kafka::Producer::Create(config.base.kafka, kafka::kIngressProfile,
                                          runtime.ProducerHooks("producer"));
  if (!producer) return telemetry::Explain(producer.error());
  std::atomic<bool> forgotten{false};
  redis::Server redis(config.redis, [&forgotten] {
    Log(Severity::kError, "redis.epoch",
        "Redis lost its memory; alerts are admitted anew, under the ids their keys give them");
    forgotten = true;
  });
  // What was admitted is on disk, and a worker that restored its claims knows what was begun: no
  // memory has to be restored before this process admits again.
  const auto ask_redis = [&]() -> Status {
    if (forgotten.exchange(false))
      if (const Status adopted = redis.AdoptEpoch(); !adopted) {
        forgotten = true;
        return Fail(adopted.error());
      }
    return redis.Ping();
  };
  redis::AdmissionQueue admissions(redis);
  Acceptance acceptance({clock, runtime.registry(), admissions, vault, **producer, topics},
                        config.acceptance);
  Marking marking({clock, admissions, **producer, topics});
  rpc::Door door(runtime.registry());
  AlertService alerts(door, acceptance, marking, ObserveAlerts(runtime.metrics(), runtime.spans()));
  redis::ClaimStore claims(redis);
  kafka::LogReader history(config.base.kafka, runtime.KafkaHooks("history"));
  WorkFinder works({.store = [&](const v1::TryName& name) { return claims.Work(name); },
                    .log = [&](const v1::Position& position) -> Result<std::optional<std::string>> {
                      TOCSIN_TRY(const std::optional<IncomingRecord> record, history.At(position));
                      return record ? std::optional(record->value) : std::nullopt;
                    }});
  Webhooks webhooks({clock, runtime.registry(), vault, **producer, topics, works, marking},
                    config.public_base_url, ObserveWebhooks(runtime.metrics(), runtime.spans()));
  auto http = http::Server::Start(
      {.address = config.http_address,
       .threads = config.http_threads,
       .answer_timeout = kWebhookLimit},
      Measured(runtime.metrics(), [&](http::Request request, http::Responder responder) {
        webhooks.Handle(std::move(request), std::move(responder));
      }));
  if (!http) return telemetry::Explain(http.error());
  auto grpc = rpc::Server::Start({.address = config.grpc_address,
                                  .max_message_bytes = kMaxRequestBytes,
                                  .names = {v1::AlertService::service_full_name()}},
                                 {&alerts});
  if (!grpc) return telemetry::Explain(grpc.error());
  ExportGauges(runtime.metrics(),
               {acceptance, config.acceptance.max_in_flight, admissions, **producer, **http});
  const service::Health health(
      runtime.readiness(),
      {{"kafka",
        [&]() -> Status {
          TOCSIN_CHECK_OK(admin->ClusterId(kHealthLimit));
          return {};
        }},
       // Without Redis emergencies are still taken, so it is told and does not turn callers away.
       {"redis", ask_redis, telemetry::Role::kInformative}},
      [&](bool ready) { (*grpc)->SetReady(ready); });
  Log(Severity::kInfo, "service.started", "accepting",
      {{"http_port", (*http)->port()}, {"grpc_port", (*grpc)->port()}});

  stop.Wait();
  Log(Severity::kInfo, "service.draining", "finishing what is in flight");
  runtime.readiness().StartDraining();
  (*grpc)->SetServing(false);
  alerts.StopTaking();
  const auto now = std::chrono::steady_clock::now();
  // gRPC's own end answers calls that come meanwhile with CANCELLED, which nobody repeats. So it is
  // begun only when callers have gone elsewhere; else the connections end with the process, and
  // callers see UNAVAILABLE.
  const bool quiet = door.WaitUntilQuiet(now + std::min(config.base.drain, kQuietLimit));
  if (quiet) (*grpc)->Drain(std::chrono::system_clock::now() + config.base.drain);
  const bool drained = (*http)->Drain(now + config.base.drain);
  works.Stop();  // its answers go to the webhooks
  const Status flushed = (*producer)->Flush(config.base.drain);
  Log(drained && flushed ? Severity::kInfo : Severity::kWarn, "service.stopped", "stopped",
      {{"in_flight", acceptance.InFlight()}});
  runtime.CloseOps();
  if (!quiet) runtime.ExitNow();
  return 0;
}

int Main(int argc, char** argv) {
  const config::CommandLine line = config::ParseCommandLine(
      argc, argv,
      "Takes alerts by gRPC and Twilio's webhooks by HTTP, and publishes them to Kafka.");
  if (line.exit_code) return *line.exit_code;
  config::Reader reader(line);
  const Config config = Config::Read(reader);
  if (const auto exit_code = reader.Conclude()) return *exit_code;
  const telemetry::StopSignal stop;  // before any thread: SIGTERM is ours from here on
  auto keyring = crypto::Keyring::Load(config.base.keyring_file);
  if (!keyring) return telemetry::Explain(keyring.error());
  auto runtime = service::Runtime::Start(config.base, reader.sources(), stop);
  if (!runtime) return telemetry::Explain(runtime.error());
  return Serve(config, **runtime, *std::move(keyring), stop);
}

}  // namespace
}  // namespace tocsin::ingress

int main(int argc, char** argv) { return tocsin::ingress::Main(argc, argv); }
