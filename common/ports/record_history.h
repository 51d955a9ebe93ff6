// Reading records of the past: restores what a store has lost.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/ports/record_log.h"

namespace tocsin {

// Blocking requests. `handle` is called on the caller's thread, in the order of each partition. All
// fail with kKafkaUnavailable. Safe to use from several threads.
class RecordHistory {
 public:
  using Handle = std::function<void(const IncomingRecord&)>;

  virtual ~RecordHistory() = default;

  // Reads all records of `topics` with a timestamp from `from` on, up to the end of each partition
  // when the reading starts. Fails when no partition returns a record for 30 s,
  // and after a stop request.
  virtual Status Read(const std::vector<std::string>& topics, WallTime from, const Handle& handle,
                      std::stop_token stop) = 0;

  // Reads the records of one partition with a timestamp from `from` on, up to `last`, which must
  // exist. Fails when it has not reached `last` by `deadline`; may block a few seconds longer.
  virtual Status ReadTo(const records::v1::Position& last, WallTime from, SteadyTime deadline,
                        const Handle& handle) = 0;

  // The same for the partition of `key`, up to its end when the reading starts. The topic keeps the
  // order of keys (Topics::KeepsKeyOrder).
  virtual Status ReadKey(const std::string& topic, const std::string& key, WallTime from,
                         SteadyTime deadline, const Handle& handle) = 0;

  // The record at a position; nothing if the log has deleted it. Blocks for 30 s at most.
  virtual Result<std::optional<IncomingRecord>> At(const records::v1::Position& position) = 0;
};

}  // namespace tocsin
