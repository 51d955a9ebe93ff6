// The Kafka clients of tocsin-audit except the consumer.
#pragma once

#include <memory>
#include <string>

#include "common/kafka/admin.h"
#include "common/kafka/producer.h"
#include "common/service/runtime.h"
#include "common/telemetry/stop_signal.h"

namespace tocsin::audit {

class KafkaClients {
 public:
  // Blocks until the cluster is available and has the topics. Returns null after a stop request;
  // fails with kInvalidConfig.
  static Result<std::unique_ptr<KafkaClients>> Connect(const kafka::KafkaSettings& settings,
                                                       service::Runtime& runtime,
                                                       const telemetry::StopSignal& stop);

  const std::string& cluster_id() const { return cluster_id_; }
  kafka::Producer& producer() { return *producer_; }

  // Whether the cluster responds. Blocks for a timeout.
  Status Check();

 private:
  KafkaClients(kafka::Admin admin, std::unique_ptr<kafka::Producer> producer)
      : admin_(std::move(admin)), producer_(std::move(producer)) {}

  kafka::Admin admin_;
  std::unique_ptr<kafka::Producer> producer_;
  std::string cluster_id_;
};

}  // namespace tocsin::audit
