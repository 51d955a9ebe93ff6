// Restores the claim store from the log after the store lost its data.
#pragma once

#include <condition_variable>
#include <mutex>
#include <span>
#include <stop_token>
#include <thread>

#include "common/base/result.h"
#include "common/delivery/probe.h"
#include "common/delivery/read_offsets.h"
#include "common/delivery/restoration_lease.h"
#include "common/ports/claim_restorer.h"
#include "common/ports/clock.h"
#include "common/ports/record_history.h"
#include "common/ports/topics.h"

namespace tocsin {

// Restored first: the store may then be used for work that is not older.
constexpr std::chrono::minutes kRecentWindow{15};
// Restored after that: the longest time for which a record is kept in a lane.
constexpr std::chrono::hours kFullWindow{8 * 24};

// Has a thread. At start and after every NotifyDataLoss() it finds the store's epoch. Unless some
// process has restored that epoch, it restores it, or waits until another process has, before this
// process uses it. One process restores at a time, the one with the lease. The others adopt what it
// has restored, and one of them continues if it ends. Restoring twice changes nothing.
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
  ~ClaimRestoration();  // stops; requests in progress may take until their timeouts

  // The store lost its data. Never blocks.
  void NotifyDataLoss();

 private:
  void Run();
  Status RestoreOnce();
  Status AwaitStarts(StoreEpoch& epoch, WallTime recent_since);
  Status AdoptRecent(StoreEpoch& epoch);
  Status RestoreAll(const StoreEpoch& epoch, WallTime recent_since, const RestorationLease& lease);
  Result<ReadOffsets> RestoreSince(const StoreEpoch& epoch, WallTime since, bool complete,
                                   const ReadOffsets& restored, const std::stop_token& stop);
  Status RestoreBatch(const StoreEpoch& epoch, std::span<const KnownAttempt> batch,
                      const std::stop_token& stop);
  Result<bool> LogIsEmpty();
  Status Refresh(StoreEpoch& epoch);
  static Status Follow(StoreEpoch& epoch, const StoreEpoch& current);
  Status Pause(Micros time);

  const Parts parts_;
  const Micros max_start_delay_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool lost_ = true;  // unknown at start
  std::stop_source stop_;
  std::thread thread_;
};

}  // namespace tocsin
