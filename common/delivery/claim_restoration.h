// Restores the claim store from the log after the store lost its data.
#pragma once

#include <condition_variable>
#include <mutex>
#include <span>
#include <stop_token>
#include <thread>

#include "common/base/result.h"
#include "common/delivery/probe.h"
#include "common/ports/claim_restorer.h"
#include "common/ports/clock.h"
#include "common/ports/record_history.h"
#include "common/ports/topics.h"

namespace tocsin {

// Restored first: the store may then be used for work that is not older.
constexpr std::chrono::minutes kRecentWindow{15};
// Restored after that: the longest time for which a record is kept in a lane.
constexpr std::chrono::hours kFullWindow{8 * 24};

// Has a thread. At start and after every NotifyDataLoss() it finds the store's epoch and, unless
// some process has restored that epoch, restores it before this process uses it. Every process
// restores for itself and waits for no other; restoring twice changes nothing.
class ClaimRestoration {
 public:
  struct Parts {
    const Clock& clock;
    ClaimRestorer& restorer;
    RecordHistory& history;
    const Topics& topics;
    DeliveryProbe& probe;
  };

  // `max_start_delay`: from a claim until its SENDING event is in the log (lease without the POST).
  ClaimRestoration(Parts parts, Micros max_start_delay);
  ~ClaimRestoration();  // stops; a reading in progress ends within a second

  // The store lost its data. Never blocks.
  void NotifyDataLoss();

 private:
  void Run();
  Status RestoreOnce();
  Status RestoreSince(const StoreEpoch& epoch, WallTime since, bool complete);
  Status RestoreBatch(const StoreEpoch& epoch, std::span<const KnownAttempt> batch);
  Result<bool> LogIsEmpty();

  const Parts parts_;
  const Micros max_start_delay_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool lost_ = true;  // unknown at start
  std::stop_source stop_;
  std::thread thread_;
};

}  // namespace tocsin
