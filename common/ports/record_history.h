// Reading records that are past: what the core needs of Kafka to restore what a store forgot.
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

class RecordHistory {
 public:
  virtual ~RecordHistory() = default;

  // Gives every record of the topics with a time stamp from `from` on, up to what is their end when
  // the call begins; each partition in its order. Blocks for as long as that takes; a partition
  // that gives nothing for kHistoryPatience (30 s), and a stop, end it with kKafkaUnavailable.
  // `fold` is called on this thread. Safe to call from several threads.
  virtual Status Read(const std::vector<std::string>& topics, WallTime from,
                      const std::function<void(const IncomingRecord&)>& fold,
                      std::stop_token stop) = 0;

  // Gives the records of one partition with a time stamp from `from` on, in their order, up to
  // `last`, which is in the log. Blocks until `deadline` and a few seconds at most; fails with
  // kKafkaUnavailable when it has not come to `last` by then.
  virtual Status ReadTo(const v1::Position& last, WallTime from, SteadyTime deadline,
                        const std::function<void(const IncomingRecord&)>& fold) = 0;

  // The same of the partition that has the records of `key`, up to what is its end when the call
  // begins.
  virtual Status ReadKey(const std::string& topic, const std::string& key, WallTime from,
                         SteadyTime deadline,
                         const std::function<void(const IncomingRecord&)>& fold) = 0;

  // The record at a position; nothing when the log no longer has it. Blocks, kHistoryPatience at
  // most.
  virtual Result<std::optional<IncomingRecord>> At(const v1::Position& position) = 0;
};

}  // namespace tocsin
