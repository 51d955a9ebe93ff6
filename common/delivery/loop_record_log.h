// The RecordLog of a loop: reports arrive on it, and records wait for a batch under load.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <unordered_map>

#include "common/async/scheduler.h"
#include "common/ports/record_log.h"

namespace tocsin {

// With this many records without a report, further ones wait for a batch. Each request costs the
// broker as much as dozens of records in it.
constexpr std::size_t kBatchFrom = 8;

// Publishes to `immediate` while few records are in flight, else to `batching`, which waits a
// moment to fill its requests. Records with the same key keep their order: while one is in flight,
// the next ones go the same way. Used on the scheduler's thread. The parts outlive it.
class LoopRecordLog final : public RecordLog {
 public:
  LoopRecordLog(RecordLog& immediate, RecordLog& batching, Scheduler& scheduler)
      : immediate_(immediate), batching_(batching), scheduler_(scheduler) {}

  // Calls `report` on the scheduler's thread, never before it returns.
  void Publish(OutgoingRecord record, std::function<void(const PublishReport&)> report) override;

 private:
  struct InFlight {
    RecordLog* log = nullptr;
    std::size_t count = 0;
  };

  void Finish(const std::string& key);

  RecordLog& immediate_;
  RecordLog& batching_;
  Scheduler& scheduler_;
  std::unordered_map<std::string, InFlight> in_flight_;  // by key
  std::size_t records_ = 0;                              // in flight
};

}  // namespace tocsin
