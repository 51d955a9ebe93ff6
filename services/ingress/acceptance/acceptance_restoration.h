// Restores acceptances from the lanes after the store lost its data.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <thread>

#include "common/base/result.h"
#include "common/ports/acceptance_restorer.h"
#include "common/ports/clock.h"
#include "common/ports/record_history.h"
#include "common/ports/topics.h"

namespace tocsin::ingress {

// Called on the thread of the restoration.
struct AcceptanceRestorationObserver {
  std::function<void(std::size_t count)> restored = [](std::size_t) {};
  std::function<void(const Error&)> failed = [](const Error&) {};  // it is retried
  // Whether the store knows every acceptance: at start and after a loss first false, then true.
  std::function<void(bool complete)> completeness = [](bool) {};
};

// Has a thread. At start and after every NotifyDataLoss() it adopts the store's epoch and, unless
// some process has restored the acceptances of that epoch, restores them from all lanes. Every
// process restores for itself and waits for no other; restoring twice changes nothing.
class AcceptanceRestoration {
 public:
  struct Parts {
    const Clock& clock;
    AcceptanceRestorer& restorer;
    RecordHistory& history;
    const Topics& topics;
  };

  // `max_publish_delay`: from the admission of an alert until its record is in a lane.
  AcceptanceRestoration(Parts parts, Micros max_publish_delay,
                        AcceptanceRestorationObserver observer = {});
  ~AcceptanceRestoration();  // stops; a reading in progress ends within a second

  // The store lost its data. Never blocks.
  void NotifyDataLoss();

  // An alert that was created at this time may be in a lane, and the store was not asked. It is
  // restored when the store responds. Never blocks.
  void NotifyNotStored(WallTime create_time);

 private:
  struct ReadCount {
    std::size_t records = 0;
    std::size_t alerts = 0;
  };

  void Run();
  bool WaitForTask();
  Status RestoreOnce();
  Status RestoreAll(const StoreEpoch& epoch, WallTime begin_time);
  Status WaitUnlessLost(Micros delay);
  Result<ReadCount> RestoreSince(const StoreEpoch& epoch, WallTime since);
  Status RestoreBatch(const StoreEpoch& epoch, std::span<const AcceptedAlert> batch);

  const Parts parts_;
  const Micros max_publish_delay_;
  const AcceptanceRestorationObserver observer_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool lost_ = true;                          // unknown at start
  std::optional<WallTime> not_stored_since_;  // the earliest of NotifyNotStored()
  std::stop_source stop_;
  std::thread thread_;
};

}  // namespace tocsin::ingress
