// AlertHistory on threads that may block.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "common/async/blocking_pool.h"
#include "common/async/callback.h"
#include "common/async/scheduler.h"
#include "common/async/task_group.h"
#include "common/ports/alert_history.h"
#include "common/ports/clock.h"
#include "common/ports/record_history.h"

namespace tocsin {

// The parts outlive it. Its destructor blocks until the readings in progress have ended.
//
// Calls of ReadTo() for one partition that wait for each other share the next reading. Each reading
// costs a connection and all records of the partition since `from`: without Redis, when each
// emergency reads the log, readings of their own would exceed what the broker can serve. A shared
// reading has the earliest `from` and the latest deadline of its calls. Only calls whose `from` is
// about as long ago share it: one that reads hours may not end in time.
class HistoryReader final : public AlertHistory {
 public:
  HistoryReader(const Clock& clock, Scheduler& scheduler, RecordHistory& history)
      : clock_(clock), scheduler_(scheduler), history_(history) {}

  Task<Result<std::vector<IncomingRecord>>> ReadTo(std::string alert_id, records::v1::Position last,
                                                   WallTime from, SteadyTime deadline) override;
  Task<Result<std::vector<IncomingRecord>>> ReadAll(std::string alert_id, std::string topic,
                                                    WallTime from, SteadyTime deadline) override;
  Task<Result<std::optional<IncomingRecord>>> At(records::v1::Position position) override;

 private:
  static constexpr size_t kThreads = 4;

  // Of calls that share readings: topic, partition, and how long ago `from` is, as the number of
  // bits of its minutes.
  using Group = std::tuple<std::string, std::int32_t, int>;
  // A call of ReadTo().
  struct Reading {
    std::string alert_id;
    records::v1::Position last;
    WallTime from;
    SteadyTime deadline;
    Callback<Result<std::vector<IncomingRecord>>> done;
  };
  Group GroupOf(const records::v1::Position& last, WallTime from) const;
  // Reads until no call waits.
  Task<void> Serve(Group group);

  const Clock& clock_;
  Scheduler& scheduler_;
  RecordHistory& history_;
  // Emergencies wait for ReadTo() before their POST, so other readings must not delay it.
  BlockingPool emergency_pool_{kThreads};
  BlockingPool pool_{kThreads};
  std::map<Group, std::vector<Reading>> waiting_;  // for readings in progress to end
  TaskGroup tasks_;
};

}  // namespace tocsin
