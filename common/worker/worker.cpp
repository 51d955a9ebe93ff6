#include "common/worker/worker.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "common/crypto/keyring.h"
#include "common/crypto/vault.h"
#include "common/delivery/callback_desk.h"
#include "common/delivery/claims_rebuild.h"
#include "common/delivery/relay.h"
#include "common/delivery/sender_pool.h"
#include "common/kafka/admin.h"
#include "common/kafka/group_consumer.h"
#include "common/kafka/log_reader.h"
#include "common/kafka/producer.h"
#include "common/kafka/table_reader.h"
#include "common/redis/claim_memory.h"
#include "common/redis/claim_store.h"
#include "common/redis/gcra_pacer.h"
#include "common/redis/open_try_store.h"
#include "common/redis/server.h"
#include "common/service/delivery_metrics.h"
#include "common/service/health.h"
#include "common/service/runtime.h"
#include "common/telemetry/explain.h"
#include "common/telemetry/log.h"
#include "common/twilio/books.h"
#include "common/worker/gauges.h"

namespace tocsin::worker {
namespace {

using namespace std::chrono_literals;
using telemetry::Log;
using telemetry::Severity;

constexpr std::chrono::milliseconds kTopicLimit{10'000};
constexpr std::chrono::milliseconds kHealthLimit{2'000};
constexpr std::chrono::seconds kTwilioEvery{15};  // each look opens a connection
constexpr std::chrono::milliseconds kOfferToPool{5};
constexpr size_t kFactTakers =
    8;  // threads that take callbacks in: each is one or two calls to Redis
constexpr std::chrono::milliseconds kOfferToRelay{
    25};  // it holds back the heads of long tiers for long

// The lane of a topic, in the order of Topics::Lanes.
size_t LaneOf(const std::vector<std::string>& lanes, const std::string& topic) {
  return static_cast<size_t>(std::find(lanes.begin(), lanes.end(), topic) - lanes.begin());
}

std::function<void()> FinishOf(kafka::Done done) {
  return [shared = std::make_shared<kafka::Done>(std::move(done))] { (*shared)(); };
}

// The consumers of a worker. Stopped together; made last, ended first.
struct Consumers {
  std::unique_ptr<kafka::GroupConsumer> emergency;
  std::unique_ptr<kafka::GroupConsumer> other;
  std::unique_ptr<kafka::GroupConsumer> facts;
  std::unique_ptr<kafka::GroupConsumer> relay;

  std::map<std::string, const kafka::GroupConsumer*> ByGroup(const std::string& channel) const {
    return {{channel + ".emergency", emergency.get()},
            {channel + ".other", other.get()},
            {channel + ".facts", facts.get()},
            {"relay", relay.get()}};
  }

  // Each may wait for a broker that is gone: together they wait no longer than one.
  bool Stop() const {
    std::vector<std::future<bool>> left;
    for (kafka::GroupConsumer* consumer : {emergency.get(), other.get(), facts.get(), relay.get()})
      left.push_back(std::async(std::launch::async, [consumer] { return consumer->Stop(); }));
    return std::all_of(left.begin(), left.end(), [](auto& consumer) { return consumer.get(); });
  }
};

Result<Consumers> StartConsumers(const Role& role, const Config& config, service::Runtime& runtime,
                                 const Topics& topics, SenderPool& pool, SenderPool& facts,
                                 const CallbackDesk& desk, Relay& relay) {
  const std::vector<std::string> lanes = topics.Lanes(role.channel);
  const auto to_pool = [lanes, &pool](IncomingRecord&& record, kafka::Done done) {
    const size_t lane = LaneOf(lanes, record.position.topic());
    return pool.Offer(lane, std::move(record), FinishOf(std::move(done)));
  };
  const auto to_facts = [&facts, &desk](IncomingRecord&& record, kafka::Done done) {
    if (!desk.Wants(record)) {
      done();
      return true;
    }
    return facts.Offer(0, std::move(record), FinishOf(std::move(done)));
  };
  const auto to_relay = [&relay](IncomingRecord&& record, kafka::Done done) {
    return relay.Offer(std::move(record), FinishOf(std::move(done)));
  };
  std::vector<std::string> delays = topics.Delays(true);
  for (std::string& topic : topics.Delays(false)) delays.push_back(std::move(topic));
  const std::string& prefix = config.base.kafka.prefix;
  const auto start = [&](const std::string& group, std::vector<std::string> from,
                         std::chrono::milliseconds again, kafka::GroupConsumer::Take take) {
    return kafka::GroupConsumer::Start(
        config.base.kafka,
        {.group = prefix + '.' + group, .topics = std::move(from), .offer_again = again},
        std::move(take), runtime.KafkaHooks(group));
  };
  Consumers consumers;
  TOCSIN_TRY(consumers.emergency,
             start(role.name + ".emergency", {lanes[0]}, kOfferToPool, to_pool));
  TOCSIN_TRY(consumers.other,
             start(role.name + ".other", {lanes.begin() + 1, lanes.end()}, kOfferToPool, to_pool));
  TOCSIN_TRY(consumers.facts, start(role.name + ".facts", {topics.Webhooks(), topics.Events()},
                                    kOfferToPool, to_facts));
  TOCSIN_TRY(consumers.relay, start("relay", std::move(delays), kOfferToRelay, to_relay));
  return consumers;
}

twilio::RestSettings RestOf(const Role& role, const Config& config, service::Runtime& runtime) {
  return {.base_url = config.twilio_base_url,
          .proxy = {},
          .ca_file = {},
          .connect_limit = config.connect_limit,
          .post_limit =
              std::chrono::duration_cast<std::chrono::milliseconds>(config.delivery.post_limit),
          .observe = service::ObservePosts(runtime.metrics(), runtime.spans(), role.channel)};
}

DeliverySettings DeliveryOf(const Role& role, const Config& config, service::Runtime& runtime) {
  DeliverySettings delivery = config.delivery;
  delivery.handed_over = service::ObserveHandovers(runtime.metrics(), role.channel);
  delivery.list_failed = [&runtime](const Error& error) { runtime.NeighbourFailed(error); };
  return delivery;
}

ClaimsRebuild::Observer ObserverOf(service::Runtime& runtime) {
  runtime.readiness().Declare("claims");
  return {.known = [&runtime](bool known) { runtime.readiness().Set("claims", known); },
          .restored =
              [](size_t facts, bool whole) {
                Log(Severity::kInfo, "claims.restored", "claims restored from the log",
                    {{"facts", facts}, {"whole", whole}});
              },
          .failed = [&runtime](const Error& error) { runtime.NeighbourFailed(error); }};
}

// Follows the consents into the book; gives nothing when a stop came before all were read. Nothing
// is sent before every opt-out is known.
Result<std::unique_ptr<kafka::TableReader>> ReadConsents(const Config& config,
                                                         service::Runtime& runtime,
                                                         const telemetry::StopSignal& stop,
                                                         const Topics& topics,
                                                         ConsentBook& consents) {
  TOCSIN_TRY(auto table, kafka::TableReader::Start(
                             config.base.kafka, {topics.Consents()},
                             [&consents](const IncomingRecord& record) {
                               v1::ConsentRecord consent;
                               if (consent.ParseFromString(record.value)) consents.Apply(consent);
                             },
                             runtime.KafkaHooks("consents")));
  const auto caught_up = [&]() -> Status {
    if (table->WaitCaughtUp(std::chrono::steady_clock::now() + 1s)) return {};
    return Fail(ErrorCode::kKafkaUnavailable, "reading the consents");
  };
  if (!service::RetryUntil(stop.Token(), caught_up,
                           [&](const Error& error) { runtime.NeighbourFailed(error); }))
    return std::unique_ptr<kafka::TableReader>();
  runtime.readiness().Set("consents", true);
  return table;
}

// One process of the channel does it: whoever reads the first partition of the webhooks.
std::jthread StartReconciliation(Reconciliation& reconciliation, const Consumers& consumers,
                                 const Topics& topics) {
  return std::jthread([&reconciliation, &facts = *consumers.facts,
                       webhooks = topics.Webhooks()](std::stop_token stop) {
    reconciliation.Serve(stop, [&] { return facts.Owns(webhooks, 0); });
  });
}

std::vector<service::HealthCheck> ChecksOf(kafka::Admin& admin, redis::Server& redis,
                                           const Line& line) {
  return {{"kafka",
           [&admin]() -> Status {
             TOCSIN_CHECK_OK(admin.ClusterId(kHealthLimit));
             return {};
           }},
          {"redis", [&redis] { return redis.Ping(); }},
          {"twilio", line.reach, telemetry::Role::kInformative, kTwilioEvery}};
}

struct Draining {
  SenderPool& facts;
  SenderPool& pool;
  Relay& relay;
  std::jthread& reconciler;
  Consumers& consumers;
  kafka::Producer& producer;
};

// False when a consumer's thread had to be left behind.
bool Drain(const Config& config, service::Runtime& runtime, const Draining& parts) {
  Log(Severity::kInfo, "service.draining", "finishing what is in flight");
  runtime.readiness().StartDraining();
  const auto deadline = std::chrono::steady_clock::now() + config.base.drain;
  parts.reconciler.request_stop();
  const bool taken = parts.facts.Stop(deadline);
  const bool finished = parts.pool.Stop(deadline) && taken;
  parts.relay.Stop();
  parts.reconciler.join();  // it asks the consumers
  const bool left = parts.consumers.Stop();
  const Status flushed = parts.producer.Flush(config.base.drain);
  Log(finished && left && flushed ? Severity::kInfo : Severity::kWarn, "service.stopped",
      "stopped");
  return left;
}

int Serve(const Role& role, const Config& config, service::Runtime& runtime,
          crypto::Keyring keyring, const telemetry::StopSignal& stop) {
  const SystemClock clock;
  const Topics topics(config.base.kafka.prefix);
  crypto::KeyringVault vault(std::move(keyring));
  auto admin = kafka::Admin::Create(config.base.kafka, runtime.KafkaHooks("admin"));
  if (!admin) return telemetry::Explain(admin.error());
  auto producer = kafka::Producer::Create(config.base.kafka, kafka::kWorkerProfile,
                                          runtime.ProducerHooks("producer"));
  if (!producer) return telemetry::Explain(producer.error());
  std::atomic<ClaimsRebuild*> restorer{nullptr};  // made later, for it needs Redis
  redis::Server redis(config.redis, [&restorer] {
    Log(Severity::kError, "redis.epoch", "Redis lost its memory; claims are restored from the log");
    if (ClaimsRebuild* rebuild = restorer) rebuild->TellLost();
  });
  redis::ClaimStore claims(redis, config.reconciliation.schedule.first_look);
  redis::OpenTryStore open_tries(redis);
  redis::GcraPacer pacer(redis);
  const twilio::RestSettings rest = RestOf(role, config, runtime);
  const Line line = role.line({config, topics, rest, vault, clock});
  twilio::Books books(rest);
  for (const char* dependency : {"kafka", "redis", "consents"})
    runtime.readiness().Declare(dependency);
  const auto complain = [&](const Error& error) { runtime.NeighbourFailed(error); };
  const auto prepare = [&]() -> Status {
    TOCSIN_CHECK_OK(admin->EnsureTopics(topics.All(), kTopicLimit));
    const Status fit = redis.CheckServer();
    // Emergencies go without it; one that is not fit is never used.
    if (!fit && fit.error().code != ErrorCode::kRedisUnavailable) return fit;
    return {};
  };
  if (!service::RetryUntil(stop.Token(), prepare, complain)) return 0;

  redis::ClaimStoreMemory memory(redis, config.reconciliation.schedule.first_look);
  kafka::LogReader history(config.base.kafka, runtime.KafkaHooks("history"));
  ClaimsRebuild rebuild({clock, memory, history, topics},
                        config.delivery.lease - config.delivery.post_limit, ObserverOf(runtime));
  restorer = &rebuild;
  ConsentBook consents;
  const auto table = ReadConsents(config, runtime, stop, topics, consents);
  if (!table) return telemetry::Explain(table.error());
  if (*table == nullptr) return 0;

  DeliveryPipeline pipeline(role.channel,
                            {clock, runtime.registry(), consents, claims, pacer, vault,
                             *line.carrier, *line.list, **producer, history, topics},
                            DeliveryOf(role, config, runtime));
  const SenderPoolObserver observer = Observe(runtime.metrics(), role.name, complain);
  SenderPool pool(pipeline, config.pool, observer);
  CallbackDesk desk(role.channel, {clock, claims, **producer, history, topics},
                    config.delivery.retry);
  SenderPool facts([&desk](const IncomingRecord& record) { return desk.Take(record); },
                   {.senders = kFactTakers, .kept_for_emergency = 0}, observer);
  Relay relay(clock, **producer, topics);
  auto consumers = StartConsumers(role, config, runtime, topics, pool, facts, desk, relay);
  if (!consumers) return telemetry::Explain(consumers.error());
  Reconciliation reconciliation(
      role.channel, {clock, runtime.registry(), open_tries, books, desk, **producer, topics},
      config.reconciliation, ObserveReconciliation(runtime.metrics(), role.name, complain));
  std::jthread reconciler = StartReconciliation(reconciliation, *consumers, topics);
  ExportGauges(runtime.metrics(), {pool, config.pool, redis, config.redis.pool_size, relay,
                                   consumers->ByGroup(role.name)});
  const service::Health health(runtime.readiness(), ChecksOf(*admin, redis, line));
  Log(Severity::kInfo, "service.started", "delivering", {{"senders", config.pool.senders}});

  stop.Wait();
  const bool left =
      Drain(config, runtime, {facts, pool, relay, reconciler, *consumers, **producer});
  runtime.CloseOps();
  if (!left) _exit(0);  // librdkafka's close hangs; everything of ours is on disk
  return 0;
}

}  // namespace

int Main(int argc, char** argv, const Role& role) {
  const config::CommandLine line = config::ParseCommandLine(argc, argv, role.purpose);
  if (line.exit_code) return *line.exit_code;
  config::Reader reader(line);
  const Config config = Config::Read(reader, role.program, role.ops_setting);
  if (const auto exit_code = reader.Conclude()) return *exit_code;
  const telemetry::StopSignal stop;  // before any thread: SIGTERM is ours from here on
  auto keyring = crypto::Keyring::Load(config.base.keyring_file);
  if (!keyring) return telemetry::Explain(keyring.error());
  auto runtime = service::Runtime::Start(config.base, reader.sources(), stop);
  if (!runtime) return telemetry::Explain(runtime.error());
  return Serve(role, config, **runtime, *std::move(keyring), stop);
}

}  // namespace tocsin::worker
