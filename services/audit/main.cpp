// tocsin-audit: folds the logs into PostgreSQL and says what became of alerts.
#include <malloc.h>
#include <unistd.h>
#include <memory>

#include <cstdlib>

#include "common/crypto/keyring.h"
#include "common/crypto/vault.h"
#include "common/kafka/admin.h"
#include "common/kafka/fold_consumer.h"
#include "common/kafka/producer.h"
#include "common/ports/clock.h"
#include "common/rpc/server.h"
#include "common/service/health.h"
#include "common/service/runtime.h"
#include "common/telemetry/explain.h"
#include "common/telemetry/log.h"
#include "services/audit/admin_service.h"
#include "services/audit/config.h"
#include "services/audit/fold_store.h"
#include "services/audit/gauges.h"
#include "services/audit/position_board.h"
#include "services/audit/status_service.h"
#include "services/audit/unbuilt.h"
#include "services/audit/upkeep.h"

namespace tocsin::audit {
namespace {

using telemetry::Log;
using telemetry::Severity;

constexpr std::chrono::milliseconds kTopicsLimit{10'000};
constexpr std::chrono::milliseconds kAskLimit{2'000};
// Few records, each waited for by an operator.
constexpr kafka::ProducerProfile kActsProfile{.delivery_timeout = std::chrono::milliseconds(4'000),
                                              .max_records = 1'000,
                                              .max_kbytes = 4'096};
// Every thread of gRPC and librdkafka would keep a heap of its own, each as large as its largest
// moment.
constexpr int kHeaps = 2;
constexpr int kMappedBytes = 128 * 1024;  // from this size on, memory goes back when it is freed

// The id of the cluster whose topics stand ready; nothing when a stop was asked for before.
std::optional<std::string> ReachKafka(const Config& config, service::Runtime& runtime,
                                      kafka::Admin& admin, const telemetry::StopSignal& stop) {
  std::string cluster_id;
  const bool reached = service::RetryUntil(
      stop.Token(),
      [&]() -> Status {
        TOCSIN_CHECK_OK(admin.EnsureTopics(Topics(config.base.kafka.prefix).All(), kTopicsLimit));
        TOCSIN_TRY(cluster_id, admin.ClusterId(kAskLimit));
        return {};
      },
      [&](const Error& error) {
        runtime.readiness().Set("kafka", false, error.message);
        runtime.NeighbourFailed(error);
      });
  if (!reached) return std::nullopt;
  return cluster_id;
}

// Reading one row of our own shows server, rights and schema at once.
Status AskPostgres(postgres::Session& session) {
  return session.Run([](postgres::Transaction& transaction) -> Status {
    TOCSIN_CHECK_OK(transaction.Query("SELECT 1 FROM tocsin.positions LIMIT 1"));
    return {};
  });
}

int Run(const Config& config, service::Runtime& runtime, crypto::Keyring keyring,
        const telemetry::StopSignal& stop) {
  crypto::KeyringVault vault(std::move(keyring));
  auto admin = kafka::Admin::Create(config.base.kafka);
  if (!admin) return telemetry::Explain(admin.error());
  runtime.readiness().Declare("kafka");
  runtime.readiness().Declare("postgres");
  const auto cluster_id = ReachKafka(config, runtime, *admin, stop);
  if (!cluster_id) return EXIT_SUCCESS;

  const auto failed = [&runtime](const Error& error) { runtime.NeighbourFailed(error); };
  telemetry::Metrics& metrics = runtime.metrics();
  const FoldedTopics topics{Topics(config.base.kafka.prefix)};
  PositionBoard board(config.postgres, *cluster_id);
  AlertWatch watch(config.postgres);
  postgres::ReaderPool readers(config.postgres, config.readers, config.waiting_reads);
  Upkeep upkeep(std::make_unique<FoldStore>(config.postgres, *cluster_id, topics), config.postgres,
                ShowLedger(metrics), failed);

  FoldStore store(config.postgres, *cluster_id, topics);
  store.OnFolded([&board, &watch, count = CountFolded(metrics)](const Folded& folded) {
    count(folded);
    board.Advance(folded.next);
    watch.Wake(folded.changed);
  });
  auto consumer = kafka::FoldConsumer::Start(
      config.base.kafka, {.group = config.base.kafka.prefix + ".audit", .topics = topics.Names()},
      {.position =
           [&](const std::string& topic, std::int32_t partition) {
             auto next = store.Position(topic, partition);
             if (!next) failed(next.error());
             return next;
           },
       .fold = Measured(
           metrics, [&](auto records) { return store.Fold(records); }, failed)},
      runtime.KafkaHooks("fold"));
  if (!consumer) return telemetry::Explain(consumer.error());

  StatusService status({runtime.registry(), topics, board, readers, vault, watch},
                       CountAnswers(metrics));
  UnbuiltAuditService audit(runtime.registry());
  const SystemClock clock;
  const Topics names(config.base.kafka.prefix);
  auto producer =
      kafka::Producer::Create(config.base.kafka, kActsProfile, runtime.KafkaHooks("producer"));
  if (!producer) return telemetry::Explain(producer.error());
  AdminService administration({clock, runtime.registry(), readers, vault, **producer, names},
                              CountAnswers(metrics));
  auto server = rpc::Server::Start(
      {.address = config.grpc_address,
       .names = {v1::StatusService::service_full_name(), v1::AuditService::service_full_name(),
                 v1::AdminService::service_full_name()}},
      {&status, &audit, &administration});
  if (!server) return telemetry::Explain(server.error());
  const Gauges gauges(metrics, topics, **consumer, board, readers, watch);
  postgres::Session asking(config.postgres);
  service::Health health(runtime.readiness(),
                         {{"kafka",
                           [&]() -> Status {
                             TOCSIN_CHECK_OK(admin->ClusterId(kAskLimit));
                             return {};
                           }},
                          {"postgres", [&] { return AskPostgres(asking); }}},
                         [&](bool ready) { (*server)->SetReady(ready); });
  (*server)->SetServing(true);
  Log(Severity::kInfo, "service.started", "folding and answering", {{"port", (*server)->port()}});

  stop.Wait();
  Log(Severity::kInfo, "service.draining", "leaving");
  runtime.readiness().StartDraining();
  (*server)->SetServing(false);
  const auto deadline = std::chrono::system_clock::now() + config.base.drain;
  const bool left = (*consumer)->Stop();  // after the batch under way
  board.Close();                          // answers those who wait for what will not be folded here
  watch.Close();
  (*server)->Drain(deadline);
  readers.Close();
  Log(Severity::kInfo, "service.stopped", "stopped");
  if (!left) _exit(EXIT_SUCCESS);  // a thread of librdkafka hangs; what was folded is committed
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace tocsin::audit

int main(int argc, char** argv) {
  using namespace tocsin;
  mallopt(M_ARENA_MAX, audit::kHeaps);
  mallopt(M_MMAP_THRESHOLD, audit::kMappedBytes);
  config::Reader reader(config::ParseCommandLine(
      argc, argv, "Folds Tocsin's logs into PostgreSQL and says what became of alerts."));
  const audit::Config config = audit::Config::Read(reader);
  if (const auto exit_code = reader.Conclude()) return *exit_code;
  const telemetry::StopSignal stop;  // before any thread: SIGTERM is ours from here on
  auto keyring = crypto::Keyring::Load(config.base.keyring_file);
  if (!keyring) return telemetry::Explain(keyring.error());
  const auto runtime = service::Runtime::Start(config.base, reader.sources(), stop);
  if (!runtime) return telemetry::Explain(runtime.error());
  return audit::Run(config, **runtime, *std::move(keyring), stop);
}
