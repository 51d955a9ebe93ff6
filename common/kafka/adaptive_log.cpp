#include "common/kafka/adaptive_log.h"

#include <utility>

namespace tocsin::kafka {

AdaptiveLog::AdaptiveLog(RecordLog& immediate, RecordLog& batching, const Topics& topics,
                         const Clock& clock)
    : immediate_(immediate), batching_(batching), clock_(clock) {
  for (const TopicSpec& topic : topics.All())
    if (!topics.KeepsKeyOrder(topic.name)) unordered_topics_.insert(topic.name);
}

void AdaptiveLog::Publish(OutgoingRecord record, std::function<void(const PublishReport&)> report) {
  if (unordered_topics_.contains(record.topic)) {
    RecordLog& log = Select();
    ++records_;
    log.Publish(std::move(record), [this, done = std::move(report)](const PublishReport& result) {
      --records_;
      done(result);
    });
    return;
  }
  RecordLog& log = SelectFor(record.key);
  ++records_;
  std::string key = record.key;
  log.Publish(std::move(record),
              [this, key = std::move(key), done = std::move(report)](const PublishReport& result) {
                --records_;
                Finish(key);
                done(result);
              });
}

RecordLog& AdaptiveLog::Select() {
  const SteadyTime now = clock_.SteadyNow();
  if (records_ >= kBatchFrom) batch_until_ = now + kBatchAtLeast;
  return now < batch_until_.load() ? batching_ : immediate_;
}

RecordLog& AdaptiveLog::SelectFor(const std::string& key) {
  const std::lock_guard lock(mutex_);
  InFlight& in_flight = keys_[key];
  if (in_flight.count == 0) in_flight.log = &Select();
  ++in_flight.count;
  return *in_flight.log;
}

void AdaptiveLog::Finish(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto in_flight = keys_.find(key);
  if (--in_flight->second.count == 0) keys_.erase(in_flight);
}

}  // namespace tocsin::kafka
