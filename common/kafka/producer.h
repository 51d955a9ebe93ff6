// Publishes records idempotently with acks=all; each gets a delivery report.
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

namespace tocsin::kafka {

struct ProducerProfile {
  std::chrono::milliseconds delivery_timeout{30'000};  // delivery.timeout.ms
  std::chrono::microseconds linger{0};                 // linger.ms: waits to fill a batch
  std::int64_t max_records = 20'000;  // queued and in flight; more records are refused
  std::int64_t max_kbytes = 32'768;   // the same by size
};

// RecordLog on one librdkafka producer. A thread of its own calls the report callbacks. Records of
// topics that keep the order of keys go to the partition PartitionFor(key, number of partitions),
// others to PartitionOfSlot(), or the next one that has a leader.
//
// After a fatal error (out of order sequence numbers) a new librdkafka producer replaces the failed
// one: it publishes the records that certainly were not written, in their order and before records
// published in the meantime; records that may have been written are reported kUnknown. A report may
// then take twice the delivery timeout. To the broker a record published again is a new one, so
// consumers identify records by the ids in them.
//
// An empty value is published as an empty value, not as a tombstone.
class Producer final : public RecordLog {
 public:
  // Fails with kInvalidConfig. Does not connect: the first record or FetchMetadata() does.
  static Result<std::unique_ptr<Producer>> Create(const KafkaSettings& settings,
                                                  const ProducerProfile& profile, Hooks hooks = {});

  // Waits for reports, for the delivery timeout and a second at most, then purges and reports the
  // records that are left. Publish() must not be called any more.
  ~Producer() override;

  // See RecordLog. A refused record (queue full, larger than 1 MB) is reported kNotPersisted before
  // the function returns.
  void Publish(OutgoingRecord record, std::function<void(const PublishReport&)> report) override;

  // Fetches the metadata of `topics`: otherwise the first record of each waits for it, for 1 s at
  // most. Blocks, for `timeout` at most. Fails with kKafkaUnavailable, naming a missing topic.
  Status FetchMetadata(const std::vector<std::string>& topics, std::chrono::milliseconds timeout);

  // Waits until each record has its report, for `timeout` at most. Fails with kKafkaUnavailable if
  // some have none.
  Status Flush(std::chrono::milliseconds timeout);

  // Records without a report. Safe to call on any thread.
  size_t InFlight() const;

 private:
  class Impl;
  explicit Producer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tocsin::kafka
