// The RecordLog of a loop: reports arrive on it.
#pragma once

#include <functional>

#include "common/async/scheduler.h"
#include "common/ports/record_log.h"

namespace tocsin {

// Used on the scheduler's thread. The parts outlive it.
class LoopRecordLog final : public RecordLog {
 public:
  LoopRecordLog(RecordLog& log, Scheduler& scheduler) : log_(log), scheduler_(scheduler) {}

  // Calls `report` on the scheduler's thread, never before it returns.
  void Publish(OutgoingRecord record, std::function<void(const PublishReport&)> report) override;

 private:
  RecordLog& log_;
  Scheduler& scheduler_;
};

}  // namespace tocsin
