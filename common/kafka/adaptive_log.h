// Publishes at once while few records are in flight, and in batches under load.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "common/ports/clock.h"
#include "common/ports/record_log.h"
#include "common/ports/topics.h"

namespace tocsin::kafka {

// With this many records without a report, further ones wait for a batch. Each request costs the
// broker as much as dozens of records in it.
constexpr std::size_t kBatchFrom = 8;
// Under load all records of a batch get their reports at once: few in flight do not mean little
// load until this time has passed.
constexpr Micros kBatchAtLeast{5'000};

// Publishes to `immediate` under little load, else to `batching`, which waits a moment to fill its
// requests. In topics that keep the order of keys, records with the same key go the same way while
// one is in flight. Safe to use from several threads. The parts outlive it.
class AdaptiveLog final : public RecordLog {
 public:
  AdaptiveLog(RecordLog& immediate, RecordLog& batching, const Topics& topics, const Clock& clock);

  // See RecordLog. Calls `report` on the thread of the log that was selected.
  void Publish(OutgoingRecord record, std::function<void(const PublishReport&)> report) override;

 private:
  struct InFlight {
    RecordLog* log = nullptr;
    std::size_t count = 0;
  };

  RecordLog& Select();
  RecordLog& SelectFor(const std::string& key);
  void Finish(const std::string& key);

  RecordLog& immediate_;
  RecordLog& batching_;
  const Clock& clock_;
  std::unordered_set<std::string> unordered_topics_;
  std::atomic<std::size_t> records_{0};    // in flight
  std::atomic<SteadyTime> batch_until_{};  // under load
  std::mutex mutex_;
  std::unordered_map<std::string, InFlight> keys_;  // in flight, of topics that keep their order
};

}  // namespace tocsin::kafka
