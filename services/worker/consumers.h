// The Kafka consumers of a worker: they hand records to the delivery engine.
#pragma once

#include <map>
#include <memory>
#include <stop_token>
#include <string>

#include "common/kafka/group_consumer.h"
#include "common/service/runtime.h"
#include "services/worker/engine.h"

namespace tocsin::worker {

// One consumer group per kind of topic, so that no kind delays another: emergencies, other lanes,
// callbacks and events, delay topics.
class Consumers {
 public:
  // `engine` and `topics` outlive the consumers. Fails with kInvalidConfig.
  static Result<Consumers> Start(const WorkerSpec& spec, const Config& config,
                                 service::Runtime& runtime, const Topics& topics,
                                 DeliveryEngine& engine);

  // Blocks until each has its first assignment and fetches it, see GroupConsumer. False after the
  // deadline, or soon after a stop request.
  bool WaitUntilReading(SteadyTime deadline, const std::stop_token& stop) const;

  // True in one process per channel: the one that reads the first partition of the webhooks topic.
  bool OwnsReconciliation(const Topics& topics) const;

  // By group, as in the label `group`.
  std::map<std::string, const kafka::GroupConsumer*> ByGroup() const;

  // Stops all of them concurrently: each may wait for an unavailable broker. Returns false if the
  // thread of one could not be stopped; the program should then end by _exit().
  bool Stop() const;

 private:
  std::string channel_name_;
  std::unique_ptr<kafka::GroupConsumer> emergency_;
  std::unique_ptr<kafka::GroupConsumer> other_;
  std::unique_ptr<kafka::GroupConsumer> events_;
  std::unique_ptr<kafka::GroupConsumer> delay_queue_;
};

}  // namespace tocsin::worker
