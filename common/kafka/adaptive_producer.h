// The producer of a service: publishes at once while few records are in flight, else in batches.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/kafka/adaptive_log.h"
#include "common/kafka/producer.h"

namespace tocsin::kafka {

// For so many alerts in flight, and webhooks and events. A caller waits for the report: Twilio for
// 15 s at most.
constexpr ProducerProfile IngressProfile(std::int64_t alerts_in_flight) {
  constexpr std::int64_t kOtherRecords = 20'000;
  return {.delivery_timeout = std::chrono::milliseconds(4'000),
          .linger = std::chrono::microseconds(600),
          .max_records = alerts_in_flight + kOtherRecords,
          .max_kbytes = 32'768};
}
constexpr ProducerProfile kIngressProfile = IngressProfile(20'000);  // by default
// Only the next step of the same alert waits.
constexpr ProducerProfile kWorkerProfile{.linger = std::chrono::microseconds(5'000)};

// RecordLog on two producers, see AdaptiveLog: one without a linger, one with that of the profile.
// Each has the limits of the profile, and the destructor waits for both, one after the other.
class AdaptiveProducer final : public RecordLog {
 public:
  // `hooks` returns those of the client with this name: "producer" or "batching_producer". Fails
  // with kInvalidConfig.
  static Result<std::unique_ptr<AdaptiveProducer>> Create(
      const KafkaSettings& settings, const ProducerProfile& profile,
      const std::function<Hooks(const std::string&)>& hooks);

  // See Producer.
  void Publish(OutgoingRecord record, std::function<void(const PublishReport&)> report) override;

  // See Producer. Blocks for `timeout` per producer at most.
  Status FetchMetadata(const std::vector<std::string>& topics, std::chrono::milliseconds timeout);

  // Waits until each record has its report, also those that reports publish. Blocks, for `timeout`
  // at most. Fails with kKafkaUnavailable if some have none. Not in a report.
  Status Flush(std::chrono::milliseconds timeout);

  // Records without a report. Safe to call on any thread.
  size_t InFlight() const;

 private:
  AdaptiveProducer(std::unique_ptr<Producer> immediate, std::unique_ptr<Producer> batching,
                   const Topics& topics);

  const SystemClock clock_;
  AdaptiveLog log_;
  const std::unique_ptr<Producer> immediate_;
  const std::unique_ptr<Producer> batching_;
};

}  // namespace tocsin::kafka
