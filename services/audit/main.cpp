// tocsin-audit: folds the logs into PostgreSQL and says what became of alerts.
#include <malloc.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <thread>

#include "common/crypto/keyring.h"
#include "common/crypto/vault.h"
#include "common/kafka/admin.h"
#include "common/kafka/fold_consumer.h"
#include "common/kafka/producer.h"
#include "common/ports/clock.h"
#include "common/rpc/door.h"
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
constexpr std::chrono::milliseconds kQuietLimit{2'000};  // for callers to go elsewhere
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

// Ends the process after `limit` unless the thread is let go before. A statement or a close of
// librdkafka may hang for longer than an operator waits, and holds nothing: what was folded is
// committed, and a redrive that was decided is done by the same call again.
std::jthread ExitAfter(std::chrono::milliseconds limit, service::Runtime& runtime) {
  return std::jthread([limit, &runtime](const std::stop_token& let_go) {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any waiting;
    waiting.wait_for(lock, let_go, limit, [] { return false; });
    if (let_go.stop_requested()) return;
    Log(Severity::kWarn, "service.stopped", "something hangs and is left behind");
    runtime.ExitNow();
  });
}

struct Leaving {
  rpc::Door& door;
  PositionBoard& board;
  AlertWatch& watch;
  postgres::ReaderPool& readers;
  rpc::Server& server;
  kafka::FoldConsumer& consumer;
};

// Callers first: whoever waits or comes is told to ask again. False when callers still came, or the
// consumer hangs: the process is then to end as it stands.
bool Leave(const Leaving& parts, std::chrono::milliseconds drain) {
  const auto began = std::chrono::steady_clock::now();
  parts.server.SetServing(false);
  parts.door.Close();
  parts.board.Close();
  parts.watch.Close();
  // gRPC's own end answers calls that come meanwhile with CANCELLED, which nobody repeats. So it is
  // begun only when callers have gone elsewhere; else the connections end with the process, and
  // callers see UNAVAILABLE.
  const bool quiet = parts.door.WaitUntilQuiet(began + std::min(drain, kQuietLimit));
  parts.readers.Close();  // behind it every call has its answer
  if (quiet) parts.server.Drain(std::chrono::system_clock::now() + drain);
  return parts.consumer.Stop() && quiet;  // after the batch under way
}

int Run(const Config& config, service::Runtime& runtime, crypto::Keyring keyring,
        const telemetry::StopSignal& stop) {
  std::jthread limit;  // of leaving, the parts' own ends included
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

  rpc::Door door(runtime.registry());
  StatusService status({door, topics, board, readers, vault, watch}, CountAnswers(metrics));
  UnbuiltAuditService audit(door);
  const SystemClock clock;
  const Topics names(config.base.kafka.prefix);
  auto producer =
      kafka::Producer::Create(config.base.kafka, kActsProfile, runtime.ProducerHooks("producer"));
  if (!producer) return telemetry::Explain(producer.error());
  AdminService administration({clock, door, readers, vault, **producer, names},
                              CountAnswers(metrics));
  auto server = rpc::Server::Start(
      {.address = config.grpc_address,
       .names = {v1::StatusService::service_full_name(), v1::AuditService::service_full_name(),
                 v1::AdminService::service_full_name()}},
      {&status, &audit, &administration});
  if (!server) return telemetry::Explain(server.error());
  const Gauges gauges(metrics, topics, **consumer, board, readers, config.waiting_reads, watch);
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
  limit = ExitAfter(config.base.drain, runtime);
  runtime.readiness().StartDraining();
  const bool left = Leave({door, board, watch, readers, **server, **consumer}, config.base.drain);
  Log(Severity::kInfo, "service.stopped", "stopped");
  if (!left) runtime.ExitNow();
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
