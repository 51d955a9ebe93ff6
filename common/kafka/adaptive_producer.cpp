#include "common/kafka/adaptive_producer.h"

#include <algorithm>
#include <utility>

namespace tocsin::kafka {

Result<std::unique_ptr<AdaptiveProducer>> AdaptiveProducer::Create(
    const KafkaSettings& settings, const ProducerProfile& profile,
    const std::function<Hooks(const std::string&)>& hooks) {
  ProducerProfile without_linger = profile;
  without_linger.linger = {};
  TOCSIN_TRY(auto immediate, Producer::Create(settings, without_linger, hooks("producer")));
  TOCSIN_TRY(auto batching, Producer::Create(settings, profile, hooks("batching_producer")));
  return std::unique_ptr<AdaptiveProducer>(
      new AdaptiveProducer(std::move(immediate), std::move(batching), Topics(settings.prefix)));
}

// The producers are destroyed first: their destructors report to `log_`.
AdaptiveProducer::AdaptiveProducer(std::unique_ptr<Producer> immediate,
                                   std::unique_ptr<Producer> batching, const Topics& topics)
    : log_(*immediate, *batching, topics, clock_),
      immediate_(std::move(immediate)),
      batching_(std::move(batching)) {}

void AdaptiveProducer::Publish(OutgoingRecord record,
                               std::function<void(const PublishReport&)> report) {
  log_.Publish(std::move(record), std::move(report));
}

Status AdaptiveProducer::FetchMetadata(const std::vector<std::string>& topics,
                                       std::chrono::milliseconds timeout) {
  TOCSIN_CHECK_OK(immediate_->FetchMetadata(topics, timeout));
  return batching_->FetchMetadata(topics, timeout);
}

Status AdaptiveProducer::Flush(std::chrono::milliseconds timeout) {
  const SteadyTime deadline = std::chrono::steady_clock::now() + timeout;
  while (InFlight() > 0)  // a report may publish another record, to either producer
    for (Producer* const producer : {immediate_.get(), batching_.get()}) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      TOCSIN_CHECK_OK(producer->Flush(std::max(left, std::chrono::milliseconds::zero())));
    }
  return {};
}

size_t AdaptiveProducer::InFlight() const { return immediate_->InFlight() + batching_->InFlight(); }

}  // namespace tocsin::kafka
