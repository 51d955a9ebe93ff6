#include "services/worker/worker.h"

#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "common/async/event_loop.h"
#include "common/async/loop_thread.h"
#include "common/crypto/keyring.h"
#include "common/crypto/vault.h"
#include "common/delivery/claim_restoration.h"
#include "common/kafka/adaptive_producer.h"
#include "common/kafka/admin.h"
#include "common/kafka/log_reader.h"
#include "common/service/delivery_metrics.h"
#include "common/service/health.h"
#include "common/service/runtime.h"
#include "common/telemetry/fatal.h"
#include "common/telemetry/log.h"
#include "common/twilio/rest/call_ender.h"
#include "common/twilio/rest/provider_lookup.h"
#include "services/worker/consent_reader.h"
#include "services/worker/consumers.h"
#include "services/worker/engine.h"
#include "services/worker/gauges.h"
#include "services/worker/probe.h"
#include "services/worker/redis_stores.h"

namespace tocsin::worker {
namespace {

using telemetry::Log;
using telemetry::Severity;

constexpr std::chrono::milliseconds kTopicTimeout{10'000};
constexpr std::chrono::milliseconds kHealthTimeout{2'000};
constexpr std::chrono::seconds kTwilioCheckInterval{15};  // each check opens a connection
// A group assigns partitions within milliseconds, unless another member does not respond.
constexpr std::chrono::seconds kAssignmentTimeout{15};

// Creates the topics, lets the producer know those that this worker writes, and checks Redis.
// Blocks until Kafka is available; returns false after a stop request.
bool Prepare(const WorkerSpec& spec, kafka::Admin& admin, kafka::AdaptiveProducer& producer,
             redis::Server& redis, const Topics& topics, service::Runtime& runtime,
             const telemetry::StopSignal& stop) {
  for (const char* dependency : {"kafka", "redis", "consents", "consumers"})
    runtime.readiness().Declare(dependency);
  const auto step = [&]() -> Status {
    TOCSIN_CHECK_OK(admin.EnsureTopics(topics.All(), kTopicTimeout));
    TOCSIN_CHECK_OK(producer.FetchMetadata(topics.WrittenByWorker(spec.channel), kTopicTimeout));
    // Emergencies proceed without Redis. A Redis that is misconfigured is never used.
    const Status checked = redis.CheckServer();
    if (!checked && checked.error().code != ErrorCode::kRedisUnavailable) return checked;
    return {};
  };
  return service::RetryUntil(stop.Token(), step,
                             [&](const Error& error) { runtime.ReportDependencyError(error); });
}

twilio::RestSettings RestOf(const WorkerSpec& spec, const Config& config,
                            service::Runtime& runtime) {
  return {.base_url = config.twilio_base_url,
          .proxy = {},
          .connect_timeout = config.connect_timeout,
          .post_timeout =
              std::chrono::duration_cast<std::chrono::milliseconds>(config.delivery.post_timeout),
          .observe = service::ObservePosts(runtime.metrics(), runtime.spans(), spec.channel)};
}

std::vector<service::HealthCheck> ChecksOf(kafka::Admin& admin, redis::Server& redis,
                                           const ChannelAdapter& adapter) {
  return {{"kafka",
           [&admin]() -> Status {
             TOCSIN_CHECK_OK(admin.ClusterId(kHealthTimeout));
             return {};
           }},
          {"redis", [&redis] { return redis.Ping(); }},
          {"twilio", adapter.check_connectivity, telemetry::DependencyRole::kInformative,
           kTwilioCheckInterval}};
}

// The worker is ready when a new record reaches it at once. A group that cannot assign partitions
// must not keep it from being ready: a rolling update would stop.
void AwaitConsumers(const Consumers& consumers, service::Runtime& runtime,
                    const telemetry::StopSignal& stop) {
  const SteadyTime deadline = std::chrono::steady_clock::now() + kAssignmentTimeout;
  const bool reading = consumers.WaitUntilReading(deadline, stop.Token());
  if (!reading && !stop.Token().stop_requested())
    Log(Severity::kWarn, "consumers.not_assigned", "the groups have not assigned partitions yet");
  runtime.readiness().Set("consumers", true, reading ? "" : "not yet assigned");
}

// Finishes records in progress. Returns false if a consumer's thread could not be stopped, or if
// records have no report: both use parts that would be destroyed.
bool Drain(const Config& config, service::Runtime& runtime, DeliveryEngine& engine,
           const Consumers& consumers, kafka::AdaptiveProducer& producer) {
  Log(Severity::kInfo, "service.draining", "draining");
  runtime.readiness().StartDraining();
  const bool finished = engine.Stop(std::chrono::steady_clock::now() + config.base.drain);
  const bool consumers_stopped = consumers.Stop();
  const Status flushed = producer.Flush(config.base.drain);
  Log(finished && consumers_stopped && flushed ? Severity::kInfo : Severity::kWarn,
      "service.stopped", "stopped");
  return consumers_stopped && flushed;
}

// The components, in the order of their construction.
int Run(const WorkerSpec& spec, const Config& config, service::Runtime& runtime,
        crypto::Keyring keyring, const telemetry::StopSignal& stop) {
  const SystemClock clock;
  const Topics topics(config.base.kafka.prefix);
  crypto::KeyringVault vault(std::move(keyring));
  WorkerProbe probe(runtime, spec.channel, spec.name);
  auto admin = kafka::Admin::Create(config.base.kafka, runtime.KafkaHooks("admin"));
  if (!admin) return telemetry::ReportFatal(admin.error());
  const auto producer = kafka::AdaptiveProducer::Create(
      config.base.kafka, kafka::kWorkerProfile,
      [&](const std::string& client) { return runtime.ProducerHooks(client); });
  if (!producer) return telemetry::ReportFatal(producer.error());
  kafka::LogReader history(config.base.kafka, runtime.KafkaHooks("history"));
  EventLoop loop;
  RedisStores stores(loop, config.redis, config.reconciliation.schedule.initial_delay);
  if (!Prepare(spec, *admin, **producer, stores.server, topics, runtime, stop)) return 0;

  ClaimRestoration restoration({clock, stores.restorer, history, topics, probe},
                               config.delivery.lease - config.delivery.post_timeout);
  stores.OnDataLoss([&restoration] { restoration.NotifyDataLoss(); });
  ConsentBook consents;
  const auto consent_reader = ReadConsents(config.base.kafka, topics, runtime, stop, consents);
  if (!consent_reader) return telemetry::ReportFatal(consent_reader.error());
  if (*consent_reader == nullptr) return 0;

  const twilio::RestSettings rest = RestOf(spec, config, runtime);
  const ChannelAdapter adapter = spec.make_adapter({loop, config, topics, rest, vault, clock});
  twilio::ResourceLookup lookup(loop, rest);
  twilio::RestSettings ender_rest = rest;
  ender_rest.observe = {};  // its requests are not attempts
  twilio::RestCallEnder call_ender(loop, std::move(ender_rest));
  DeliveryEngine engine(spec.channel,
                        {clock, loop, runtime.registry(), consents, stores, vault, adapter, lookup,
                         call_ender, **producer, history, topics, probe},
                        config);
  const LoopThread loop_thread(loop);
  const auto consumers = Consumers::Start(spec, config, runtime, topics, engine);
  if (!consumers) return telemetry::ReportFatal(consumers.error());
  engine.StartTasks([&] { return consumers->OwnsReconciliation(topics); });
  AwaitConsumers(*consumers, runtime, stop);
  ExportGauges(runtime.metrics(),
               {engine.pool(), config.pool, engine.limiter(), config.posts, stores.server,
                config.redis.pool_size, engine.delay_queue(), consumers->ByGroup()});
  const service::Health health(runtime.readiness(), ChecksOf(*admin, stores.server, adapter));
  Log(Severity::kInfo, "service.started", "started", {{"senders", config.posts.posts}});

  stop.Wait();
  const bool clean = Drain(config, runtime, engine, *consumers, **producer);
  runtime.CloseOps();
  if (!clean) runtime.ExitNow();  // offsets of unfinished records are not stored
  return 0;
}

}  // namespace

int Main(int argc, char** argv, const WorkerSpec& spec) {
  const config::CommandLine line = config::ParseCommandLine(argc, argv, spec.purpose);
  if (line.exit_code) return *line.exit_code;
  config::Reader reader(line);
  const Config config = Config::Read(reader, spec.program, spec.ops_setting);
  if (const auto exit_code = service::Conclude(reader, config.base)) return *exit_code;
  const telemetry::StopSignal stop;  // before any thread: it handles SIGTERM from here on
  auto keyring = crypto::Keyring::Load(config.base.keyring_file);
  if (!keyring) return telemetry::ReportFatal(keyring.error());
  auto runtime = service::Runtime::Start(config.base, reader.sources(), stop);
  if (!runtime) return telemetry::ReportFatal(runtime.error());
  return Run(spec, config, **runtime, *std::move(keyring), stop);
}

}  // namespace tocsin::worker
