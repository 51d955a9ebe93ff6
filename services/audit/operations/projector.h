// Reads Kafka topics and projects them into PostgreSQL.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/kafka/projection_consumer.h"
#include "common/service/runtime.h"
#include "services/audit/operations/config.h"
#include "services/audit/operations/metrics.h"
#include "services/audit/projection/projection.h"

namespace tocsin::audit {

class Projector {
 public:
  // `on_applied` is called after each commit, on the consumer's thread; it must not block. The
  // references outlive *this. Fails with kInvalidConfig.
  static Result<std::unique_ptr<Projector>> Start(
      const Config& config, const std::string& cluster_id, service::Runtime& runtime,
      AuditMetrics& metrics, std::function<void(const AppliedBatch&)> on_applied);

  const kafka::ProjectionConsumer& consumer() const { return *consumer_; }

  // Ends after the current batch; false if the consumer could not be stopped.
  bool Stop() { return consumer_->Stop(); }

 private:
  Projector(const Config& config, const std::string& cluster_id, const ProjectedTopics& topics)
      : projection_(config.postgres, cluster_id, topics) {}

  Projection projection_;
  std::unique_ptr<kafka::ProjectionConsumer> consumer_;
};

}  // namespace tocsin::audit
