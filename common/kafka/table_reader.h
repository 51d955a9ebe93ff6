// Reads compacted topics completely, without a consumer group, and follows them.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/kafka/settings.h"
#include "common/ports/record_log.h"

namespace tocsin::kafka {

// Each process keeps the whole table in memory. A thread of its own reads all partitions from the
// beginning and then follows them. Kafka may be down or a topic missing at the start: the thread
// retries. A topic that is deleted and created again is read again from its beginning, so the
// handler must ignore records that are older than its state.
class TableReader {
 public:
  // Called on the reader's thread, with one record at a time, in the order of each partition. Must
  // not throw. The value of a tombstone is empty.
  using Handler = std::function<void(const IncomingRecord& record)>;

  // Fails with kInvalidConfig. Does not wait for Kafka.
  static Result<std::unique_ptr<TableReader>> Start(const KafkaSettings& settings,
                                                    std::vector<std::string> topics,
                                                    Handler handler, Hooks hooks = {});

  // Stops within a second of the handler's return.
  ~TableReader();

  // Every partition was read up to its end at that time. Never becomes false again. Safe to call on
  // any thread.
  bool CaughtUp() const;
  // Blocks until CaughtUp(); false at the deadline.
  bool WaitCaughtUp(SteadyTime deadline) const;

 private:
  class Impl;
  explicit TableReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tocsin::kafka
