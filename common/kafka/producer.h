// Publishing to Kafka with acks=all, idempotently, each record answered by its own report.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/kafka/settings.h"
#include "common/ports/record_log.h"

struct rd_kafka_s;

namespace tocsin::kafka {

struct ProducerProfile {
  std::chrono::milliseconds delivery_timeout{30'000};  // a report comes within it and a second
  std::chrono::microseconds linger{0};                 // wait for company in a request
  std::int64_t max_records = 20'000;                   // waiting and in flight; more are refused
  std::int64_t max_kbytes = 32'768;                    // the same by size
};
// A caller waits for the answer: Twilio for 15 s at most.
constexpr ProducerProfile kIngressProfile{
    .delivery_timeout = std::chrono::milliseconds(4'000),
    .linger = std::chrono::microseconds(1'000),
    .max_records = 40'000};  // enqueues in flight, and webhooks beside them
// Nobody waits but the next step of the same alert.
constexpr ProducerProfile kWorkerProfile{};

// RecordLog over one librdkafka producer. Reports are served by one thread of its own. The
// partition of a record is PartitionFor(key, partitions of the topic).
//
// A fatal error of the producer (its sequence numbers no longer fit the broker's) is mended here: a
// new producer takes over, records that certainly were not written are published by it in their
// order, before whatever was published meanwhile, and those that may have been written are reported
// kUnknown. A report may then come as late as twice the delivery time-out. A repetition is a new
// record to the broker, so consumers tell records by their ids.
//
// An empty value is published as an empty value, not as a tombstone.
class Producer final : public RecordLog {
 public:
  // Fails with kInvalidConfig. Does not connect: that happens behind the first record, or in
  // Warm().
  static Result<std::unique_ptr<Producer>> Create(const KafkaSettings& settings,
                                                  const ProducerProfile& profile, Hooks hooks = {});

  // Waits for open reports, the delivery time-out and a second at most; what is still open then is
  // given up and reported. Nobody may publish any more.
  ~Producer() override;

  // See RecordLog. A record that is refused (queue full, larger than 1 MB) is reported
  // kNotPersisted before the call returns.
  void Publish(OutgoingRecord record, std::function<void(const PublishReport&)> report) override;

  // Fetches where `topics` live: the first record to an unknown topic would wait for it up to 1 s.
  // Blocks, `limit` at most. Fails with kKafkaUnavailable, naming a topic that does not exist.
  Status Warm(const std::vector<std::string>& topics, std::chrono::milliseconds limit);

  // Waits until every record has its report, `limit` at most; kKafkaUnavailable when some have not.
  Status Flush(std::chrono::milliseconds limit);

  // Gauges; safe from any thread.
  size_t Open() const;             // records without a report
  std::uint64_t Rebuilds() const;  // producers given up after a fatal error

  // librdkafka's handle, for tests that inject faults; valid until the next rebuild.
  rd_kafka_s* Native();

 private:
  class Impl;
  explicit Producer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tocsin::kafka
