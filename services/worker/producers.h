// The Kafka producers of a worker.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "common/kafka/producer.h"
#include "common/service/runtime.h"

namespace tocsin::worker {

struct Producers {
  std::unique_ptr<kafka::Producer> immediate;  // publishes at once
  std::unique_ptr<kafka::Producer> batching;   // waits a moment to fill its requests

  // Fails with kInvalidConfig.
  static Result<Producers> Create(const kafka::KafkaSettings& settings, service::Runtime& runtime);

  // See kafka::Producer.
  Status FetchMetadata(const std::vector<std::string>& topics,
                       std::chrono::milliseconds timeout) const;
  Status Flush(std::chrono::milliseconds timeout) const;
};

}  // namespace tocsin::worker
