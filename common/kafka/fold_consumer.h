// Reading topics into a store that keeps the positions itself, in the transaction of what it
// stores.
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

struct FoldOptions {
  std::string group;  // with its prefix; shares out partitions, its offsets are but a hint
  std::vector<std::string> topics;         // with their prefix; one made later is found within 10 s
  size_t max_records = 1'000;              // of a batch
  size_t max_bytes = 1u << 20;             // of its values; the last one may go beyond
  std::chrono::milliseconds max_wait{50};  // from a batch's first record to the fold
  std::chrono::milliseconds session{6'000};
  std::chrono::milliseconds heartbeat{1'500};
  std::chrono::milliseconds hint_interval{1'000};
  std::chrono::milliseconds retry_base{100};  // after a failed fold; doubles
  std::chrono::milliseconds retry_cap{5'000};
  // Fetched ahead; the fetch under way when the queue is full still comes. A record takes three
  // times its bytes here, so this is most of a busy process's memory; a full queue stops fetching
  // for a whole second (librdkafka 2.0.2), so it must not be much less than a second of work.
  std::int64_t queue_records = 8'000;
  std::int64_t queue_kbytes = 3'072;
};

struct Watermarks {
  std::int64_t low = -1;   // first offset in the log, as last seen
  std::int64_t high = -1;  // offset after the last record, as last seen
};

struct FoldGauge {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t next =
      -1;  // offset of the next record to fold; -1 before the first of a new partition
  Watermarks log;
};

// The caller's side; called on the consumer's one thread, never at the same time.
struct Folding {
  // The offset to read next, or nothing when the partition was never folded: it starts at its
  // beginning. An error is asked again, with back-off. May block, 60 s at most.
  std::function<Result<std::optional<std::int64_t>>(const std::string& topic,
                                                    std::int32_t partition)>
      position;
  // Stores the batch and its positions together, or nothing of it. Records of one partition are in
  // their order. After an error the positions are asked again and reading goes on there, with
  // back-off, for ever. May block, 60 s at most. The group may have given a partition to another
  // meanwhile: the store's own positions must refuse what is folded already.
  std::function<Status(std::span<const IncomingRecord> batch)> fold;
};

// A member of a group that gathers batches and folds them, one after the other. A batch never holds
// records of a partition that left before it was folded. A position that the log does not have
// stops the consumer (Hooks::failed).
class FoldConsumer {
 public:
  // Fails with kInvalidConfig. Joins the group behind the scenes, also when Kafka is down at first.
  static Result<std::unique_ptr<FoldConsumer>> Start(const KafkaSettings& settings,
                                                     FoldOptions options, Folding folding,
                                                     Hooks hooks = {});

  // As Stop().
  ~FoldConsumer();

  // Leaves after the fold under way, 70 s at most. False when it took longer: see
  // GroupConsumer::Stop().
  bool Stop();

  // Safe from any thread.
  std::vector<FoldGauge> Gauges() const;
  std::optional<Watermarks> LogOf(const std::string& topic, std::int32_t partition) const;

 private:
  class Impl;
  explicit FoldConsumer(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace tocsin::kafka
