// Reading compacted topics whole, without a group, and following them.
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

// Every process reads the whole of its tables into memory. A thread of its own reads all partitions
// from their beginning and follows for ever; Kafka may be down, or a topic missing, when it starts:
// it begins as soon as it can. When a topic was made anew it is read from its beginning again, so
// the fold must ignore what is older than what it holds.
class TableReader {
 public:
  // Called on the reader's thread, one record at a time, in the order of each partition. Must not
  // throw; an empty value is an empty record or a tombstone.
  using Fold = std::function<void(const IncomingRecord& record)>;

  // Fails with kInvalidConfig. Does not wait for Kafka.
  static Result<std::unique_ptr<TableReader>> Start(const KafkaSettings& settings,
                                                    std::vector<std::string> topics, Fold fold,
                                                    Hooks hooks = {});

  // Stops within a second of the fold under way.
  ~TableReader();

  // Every partition has been read to what was its end at that time. Stays true. Safe from any
  // thread.
  bool CaughtUp() const;
  // Blocks until then; false when the deadline came first.
  bool WaitCaughtUp(SteadyTime deadline) const;

 private:
  class Impl;
  explicit TableReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tocsin::kafka
