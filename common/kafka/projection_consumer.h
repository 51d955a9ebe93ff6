// Reads topics into a store that keeps the offsets itself, in the transaction that stores the
// records.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/kafka/settings.h"
#include "common/ports/record_log.h"

namespace tocsin::kafka {

struct ProjectionOptions {
  std::string group;                // with its prefix; only distributes the partitions
  std::vector<std::string> topics;  // with their prefix; one created later is found in 10 s
  size_t max_records = 1'000;       // of a batch
  size_t max_bytes = 1u << 20;      // of a batch's values; the last value may exceed it
  // From the first record of a batch until it is applied: the first while a client waits for
  // records (ProjectionStore::awaited), else the second. A batch costs the store as much as dozens
  // of records.
  std::chrono::milliseconds min_wait{10};
  std::chrono::milliseconds max_wait{200};
  // Portions as well, but short ones: clients wait until their own writes are applied.
  FetchProfile fetch{.min_bytes = kThroughputFetch.min_bytes,
                     .max_wait = std::chrono::milliseconds(50)};
  std::chrono::milliseconds session_timeout{6'000};
  std::chrono::milliseconds heartbeat_interval{1'500};
  std::chrono::milliseconds out_of_range_timeout{30'000};  // see ProjectionConsumer
  // Of commits to Kafka. They only show the progress to Kafka's tools; nothing reads them.
  std::chrono::milliseconds commit_interval{1'000};
  // Without a batch for this long, the store is checked (ProjectionStore::check).
  std::chrono::milliseconds check_interval{5'000};
  std::chrono::milliseconds retry_base{100};  // after a failed batch; doubles
  std::chrono::milliseconds retry_cap{5'000};
  // Fetched in advance (queued.min.messages, queued.max.messages.kbytes); a fetch in progress may
  // exceed it. A record takes three times its size in memory, so this is most of a busy process's
  // memory. A full queue stops fetching for a second (librdkafka 2.0.2), so it should hold about a
  // second of work.
  std::int64_t queue_records = 8'000;
  std::int64_t queue_kbytes = 3'072;
};

// Of a partition's log, as of the last fetch; -1: unknown.
struct Watermarks {
  std::int64_t low = -1;   // first offset
  std::int64_t high = -1;  // offset after the last record
};

struct ProjectionGauge {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t next_offset = -1;  // of the next record to apply; -1: none was applied yet
  Watermarks watermarks;
};

// The store. Called on the consumer's thread, never concurrently. Each may block, for 60 s at most.
// The consumer does not log the store's errors: the store reports them itself.
struct ProjectionStore {
  // Returns the offset of the next record to apply, or nothing to start at the beginning of the
  // partition. Called again after an error, with backoff.
  std::function<Result<std::optional<std::int64_t>>(const std::string& topic,
                                                    std::int32_t partition)>
      next_offset;
  // Stores the batch together with its offsets, or nothing of it. Records of one partition are in
  // order. After an error the consumer reads the offsets again and continues there, with backoff,
  // without a limit. Another member may have got a partition in the meantime: the store must refuse
  // records that were applied before.
  std::function<Status(std::span<const IncomingRecord> batch)> apply;
  // Whether a client waits for records to be applied. Must not block. Empty: always.
  std::function<bool()> awaited = {};
  // Fails if the store may have lost batches that it had applied, such as a database that does not
  // write each commit to the disk at once. The consumer then continues as after a failed batch.
  // Called only while there is no batch: apply() would fail. Empty: nothing is lost.
  std::function<Status()> check = {};
};

// A member of a consumer group that collects batches and applies them one after the other. A batch
// contains no records of a partition that was revoked before. An offset that is out of range for
// ProjectionOptions::out_of_range_timeout stops the consumer (Hooks::fatal).
class ProjectionConsumer {
 public:
  // Fails with kInvalidConfig. Does not wait for Kafka: the member joins the group as soon as it
  // can.
  static Result<std::unique_ptr<ProjectionConsumer>> Start(const KafkaSettings& settings,
                                                           ProjectionOptions options,
                                                           ProjectionStore store, Hooks hooks = {});

  // As Stop().
  ~ProjectionConsumer();

  // Leaves the group after the current batch. Blocks, for 70 s at most; false if that was not
  // enough: see GroupConsumer::Stop().
  bool Stop();

  // Of the assigned partitions. Safe to call on any thread.
  std::vector<ProjectionGauge> Gauges() const;

 private:
  class Impl;
  explicit ProjectionConsumer(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace tocsin::kafka
