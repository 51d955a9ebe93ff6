#include "services/audit/operations/projector.h"

#include <utility>

namespace tocsin::audit {

Result<std::unique_ptr<Projector>> Projector::Start(
    const Config& config, const std::string& cluster_id, service::Runtime& runtime,
    AuditMetrics& metrics, std::function<void(const AppliedBatch&)> on_applied) {
  const std::string& prefix = config.base.kafka.prefix;
  const ProjectedTopics topics{Topics(prefix)};
  std::unique_ptr<Projector> projector(new Projector(config, cluster_id, topics));
  Projection& projection = projector->projection_;
  projection.OnApplied([&metrics, on_applied = std::move(on_applied)](const AppliedBatch& batch) {
    metrics.OnApplied(batch);
    on_applied(batch);
  });
  kafka::ProjectionStore store{
      .next_offset =
          [&runtime, &projection](const std::string& topic, std::int32_t partition) {
            auto next = projection.NextOffset(topic, partition);
            if (!next) runtime.ReportDependencyError(next.error());
            return next;
          },
      .apply =
          [&runtime, &metrics, &projection](std::span<const IncomingRecord> records) {
            const Status applied = metrics.Measure(
                records,
                [&](std::span<const IncomingRecord> batch) { return projection.Apply(batch); });
            if (!applied) runtime.ReportDependencyError(applied.error());
            return applied;
          }};
  TOCSIN_TRY(projector->consumer_,
             kafka::ProjectionConsumer::Start(
                 config.base.kafka, {.group = prefix + ".audit", .topics = topics.Names()},
                 std::move(store), runtime.KafkaHooks("projection")));
  return projector;
}

}  // namespace tocsin::audit
