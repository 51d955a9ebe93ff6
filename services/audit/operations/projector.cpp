#include "services/audit/operations/projector.h"

#include <future>
#include <utility>

namespace tocsin::audit {
namespace {

// A batch of a backlog; the time limit of the consumer ends a batch of new records much earlier.
// The cost of a record falls with the size of its batch, and memory grows with it.
constexpr size_t kBatchRecords = 4'000;
constexpr size_t kBatchBytes = 2u << 20;
// A second of a writer's work: see ProjectionOptions.
constexpr std::int64_t kQueueRecords = 10'000;
constexpr std::int64_t kQueueKbytes = 4'096;

// Static members of a group have different names. The first writer has that of the replica.
kafka::KafkaSettings SettingsOf(size_t writer, kafka::KafkaSettings settings) {
  if (writer > 0 && !settings.group_instance_id.empty())
    settings.group_instance_id += ".writer-" + std::to_string(writer + 1);
  return settings;
}

kafka::ProjectionStore StoreOf(size_t writer, Projection& projection, service::Runtime& runtime,
                               AuditMetrics& metrics, std::function<bool()> awaited) {
  return {.next_offset =
              [&runtime, &projection](const std::string& topic, std::int32_t partition) {
                auto next = projection.NextOffset(topic, partition);
                if (!next) runtime.ReportDependencyError(next.error());
                return next;
              },
          .apply =
              [writer, &runtime, &metrics, &projection](std::span<const IncomingRecord> records) {
                const Status applied = metrics.Measure(
                    writer, records,
                    [&](std::span<const IncomingRecord> batch) { return projection.Apply(batch); });
                if (!applied) runtime.ReportDependencyError(applied.error());
                return applied;
              },
          .awaited = std::move(awaited),
          .check =
              [&runtime, &projection] {
                const Status checked = projection.CheckPositions();
                if (!checked) runtime.ReportDependencyError(checked.error());
                return checked;
              }};
}

}  // namespace

Result<std::unique_ptr<Projector>> Projector::Start(const Config& config,
                                                    const std::string& cluster_id,
                                                    service::Runtime& runtime,
                                                    AuditMetrics& metrics, const Readers& readers) {
  const std::string& prefix = config.base.kafka.prefix;
  const ProjectedTopics topics{Topics(prefix)};
  std::unique_ptr<Projector> projector(new Projector());
  for (size_t i = 0; i < config.writers; ++i) {
    Writer& writer =
        *projector->writers_.emplace_back(std::make_unique<Writer>(config, cluster_id, topics));
    writer.projection.OnApplied(
        [&metrics, on_applied = readers.on_applied](const AppliedBatch& batch) {
          metrics.OnApplied(batch);
          on_applied(batch);
        });
    TOCSIN_TRY(writer.consumer,
               kafka::ProjectionConsumer::Start(
                   SettingsOf(i, config.base.kafka),
                   {.group = prefix + ".audit",
                    .topics = topics.Names(),
                    .max_records = kBatchRecords,
                    .max_bytes = kBatchBytes,
                    .queue_records = kQueueRecords,
                    .queue_kbytes = kQueueKbytes},
                   StoreOf(i, writer.projection, runtime, metrics, readers.waiting),
                   runtime.KafkaHooks("projection-" + std::to_string(i + 1))));
  }
  return projector;
}

std::vector<std::vector<kafka::ProjectionGauge>> Projector::PartitionGauges() const {
  std::vector<std::vector<kafka::ProjectionGauge>> gauges;
  for (const auto& writer : writers_) gauges.push_back(writer->consumer->Gauges());
  return gauges;
}

bool Projector::Stop() {
  std::vector<std::future<bool>> stopping;
  for (const auto& writer : writers_)
    stopping.push_back(std::async(std::launch::async, [&] { return writer->consumer->Stop(); }));
  bool stopped = true;
  for (std::future<bool>& one : stopping) stopped = one.get() && stopped;
  return stopped;
}

}  // namespace tocsin::audit
