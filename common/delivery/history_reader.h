// AlertHistory on threads that may block.
#pragma once

#include "common/async/blocking_pool.h"
#include "common/async/scheduler.h"
#include "common/ports/alert_history.h"
#include "common/ports/record_history.h"

namespace tocsin {

// The scheduler and the history outlive it. Its destructor blocks until the readings in progress
// have ended.
class HistoryReader final : public AlertHistory {
 public:
  HistoryReader(Scheduler& scheduler, RecordHistory& history)
      : scheduler_(scheduler), history_(history) {}

  Task<Result<std::vector<IncomingRecord>>> ReadTo(std::string alert_id, records::v1::Position last,
                                                   WallTime from, SteadyTime deadline) override;
  Task<Result<std::vector<IncomingRecord>>> ReadAll(std::string alert_id, std::string topic,
                                                    WallTime from, SteadyTime deadline) override;
  Task<Result<std::optional<IncomingRecord>>> At(records::v1::Position position) override;

 private:
  static constexpr size_t kThreads = 4;

  Scheduler& scheduler_;
  RecordHistory& history_;
  // Emergencies wait for ReadTo() before their POST, so other readings must not delay it.
  BlockingPool emergency_pool_{kThreads};
  BlockingPool pool_{kThreads};
};

}  // namespace tocsin
