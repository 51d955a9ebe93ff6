// Reads Kafka topics and projects them into PostgreSQL.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/kafka/projection_consumer.h"
#include "common/service/runtime.h"
#include "services/audit/operations/config.h"
#include "services/audit/operations/metrics.h"
#include "services/audit/projection/projection.h"

namespace tocsin::audit {

// Several writers, each with its own consumer, thread and connection to PostgreSQL: one decodes
// while PostgreSQL stores the batch of another. They share the partitions like replicas, as members
// of one consumer group, and may write the same alerts at the same time.
class Projector {
 public:
  // What the requests of clients have to do with the projection. Called on the threads of writers,
  // concurrently; must not block.
  struct Readers {
    std::function<void(const AppliedBatch&)> on_applied;  // after each commit
    std::function<bool()> waiting;                        // for a record to be projected
  };

  // The references outlive *this. Fails with kInvalidConfig.
  static Result<std::unique_ptr<Projector>> Start(const Config& config,
                                                  const std::string& cluster_id,
                                                  service::Runtime& runtime, AuditMetrics& metrics,
                                                  const Readers& readers);

  // Of the assigned partitions, by writer. Safe to call on any thread.
  std::vector<std::vector<kafka::ProjectionGauge>> PartitionGauges() const;

  // Each writer ends after its current batch; false if one could not be stopped.
  bool Stop();

 private:
  struct Writer {
    Writer(const Config& config, const std::string& cluster_id, const ProjectedTopics& topics)
        : projection(config.postgres, cluster_id, topics) {}
    Projection projection;
    std::unique_ptr<kafka::ProjectionConsumer> consumer;
  };

  Projector() = default;

  std::vector<std::unique_ptr<Writer>> writers_;
};

}  // namespace tocsin::audit
