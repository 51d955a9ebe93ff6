#include "services/worker/consumers.h"

#include <algorithm>
#include <chrono>
#include <future>
#include <utility>
#include <vector>

namespace tocsin::worker {
namespace {

constexpr std::chrono::milliseconds kRetryInterval{5};
// The delay queue refuses records of the longer tiers for long.
constexpr std::chrono::milliseconds kDelayQueueRetryInterval{25};
constexpr std::chrono::milliseconds kStopCheckInterval{100};

// The lane of a topic, in the order of Topics::Lanes.
size_t LaneOf(const std::vector<std::string>& lanes, const std::string& topic) {
  return static_cast<size_t>(std::find(lanes.begin(), lanes.end(), topic) - lanes.begin());
}

// std::function must be copyable; a Completion is not.
std::function<void()> FinishOf(kafka::Completion complete) {
  return [shared = std::make_shared<kafka::Completion>(std::move(complete))] { (*shared)(); };
}

kafka::GroupConsumer::Handler ToPool(std::vector<std::string> lanes, DeliveryPool& pool) {
  return [lanes = std::move(lanes), &pool](IncomingRecord&& record, kafka::Completion complete) {
    const size_t lane = LaneOf(lanes, record.position.topic());
    return pool.Offer(lane, std::move(record), FinishOf(std::move(complete)));
  };
}

kafka::GroupConsumer::Handler ToCallbackHandler(DeliveryEngine& engine) {
  return [&engine](IncomingRecord&& record, kafka::Completion complete) {
    if (!engine.callback_handler().Wants(record)) {
      complete();
      return true;
    }
    return engine.callback_pool().Offer(0, std::move(record), FinishOf(std::move(complete)));
  };
}

kafka::GroupConsumer::Handler ToDelayQueue(DelayQueue& delay_queue) {
  return [&delay_queue](IncomingRecord&& record, kafka::Completion complete) {
    return delay_queue.Offer(std::move(record), FinishOf(std::move(complete)));
  };
}

}  // namespace

Result<Consumers> Consumers::Start(const WorkerSpec& spec, const Config& config,
                                   service::Runtime& runtime, const Topics& topics,
                                   DeliveryEngine& engine) {
  const auto start = [&](const std::string& group, std::vector<std::string> names,
                         std::chrono::milliseconds retry_interval, kafka::FetchProfile fetch,
                         kafka::GroupConsumer::Handler handler) {
    return kafka::GroupConsumer::Start(config.base.kafka,
                                       {.group = config.base.kafka.prefix + '.' + group,
                                        .topics = std::move(names),
                                        .retry_interval = retry_interval,
                                        .fetch = fetch},
                                       std::move(handler), runtime.KafkaHooks(group));
  };
  const std::vector<std::string> lanes = topics.Lanes(spec.channel);
  std::vector<std::string> delays = topics.Delays(true);
  for (std::string& topic : topics.Delays(false)) delays.push_back(std::move(topic));
  Consumers consumers;
  consumers.channel_name_ = spec.name;
  TOCSIN_TRY(consumers.emergency_, start(spec.name + ".emergency", {lanes[0]}, kRetryInterval,
                                         kafka::kLowLatencyFetch, ToPool(lanes, engine.pool())));
  TOCSIN_TRY(consumers.other_,
             start(spec.name + ".other", {lanes.begin() + 1, lanes.end()}, kRetryInterval,
                   kafka::kLowLatencyFetch, ToPool(lanes, engine.pool())));
  // Callbacks and events resolve attempts in doubt and schedule retries: no POST waits for them.
  TOCSIN_TRY(consumers.events_,
             start(spec.name + ".events", {topics.Webhooks(), topics.Events()}, kRetryInterval,
                   kafka::kThroughputFetch, ToCallbackHandler(engine)));
  TOCSIN_TRY(consumers.delay_queue_,
             start("delay_queue", std::move(delays), kDelayQueueRetryInterval,
                   kafka::kLowLatencyFetch, ToDelayQueue(engine.delay_queue())));
  return consumers;
}

bool Consumers::WaitUntilReading(SteadyTime deadline, const std::stop_token& stop) const {
  for (const auto& [group, consumer] : ByGroup()) {
    while (true) {
      const SteadyTime now = std::chrono::steady_clock::now();
      if (consumer->WaitUntilReading(std::min(deadline, now + kStopCheckInterval))) break;
      if (stop.stop_requested() || now >= deadline) return false;
    }
  }
  return true;
}

bool Consumers::OwnsReconciliation(const Topics& topics) const {
  return events_->IsAssigned(topics.Webhooks(), 0);
}

std::map<std::string, const kafka::GroupConsumer*> Consumers::ByGroup() const {
  return {{channel_name_ + ".emergency", emergency_.get()},
          {channel_name_ + ".other", other_.get()},
          {channel_name_ + ".events", events_.get()},
          {"delay_queue", delay_queue_.get()}};
}

bool Consumers::Stop() const {
  std::vector<std::future<bool>> stopped;
  for (kafka::GroupConsumer* consumer :
       {emergency_.get(), other_.get(), events_.get(), delay_queue_.get()})
    stopped.push_back(std::async(std::launch::async, [consumer] { return consumer->Stop(); }));
  return std::all_of(stopped.begin(), stopped.end(), [](auto& future) { return future.get(); });
}

}  // namespace tocsin::worker
