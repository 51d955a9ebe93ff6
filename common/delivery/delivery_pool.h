// Delivers records concurrently, and bounds their number by priority.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>

#include "common/async/scheduler.h"
#include "common/async/task.h"
#include "common/async/task_group.h"
#include "common/base/result.h"
#include "common/delivery/delivery_result.h"
#include "common/delivery/probe.h"
#include "common/delivery/weighted_scheduler.h"
#include "common/ports/record_log.h"

namespace tocsin {

struct DeliveryPoolSettings {
  size_t deliveries = 1250;    // in progress
  size_t reserved = 50;        // beyond these: room that each lane leaves to the one above it
  size_t lane_capacity = 250;  // records waiting in a lane
  size_t retrying = 0;         // deliveries that wait for a retry and take no room of others
};

// The lane of the lowest priority has `deliveries` in progress at most, and each other lane
// `reserved` more than the lane below it: no lane can take the room of a higher one. At its limit a
// lane waits until those above it leave room. A record whose dependencies fail stays in flight and
// is retried with a delay that grows to a second. While a store is down the deliveries fill up,
// then the lanes, then the consumers pause: nothing is dropped.
//
// Deliveries run on the scheduler's thread. The pool is constructed and destroyed while that thread
// does not run, or on it. The scheduler and the probe outlive it.
class DeliveryPool {
 public:
  // Called once, when the record's offset may be stored.
  using Finish = std::function<void()>;

  // Delivers one record, which outlives the task. After an error it is called again.
  using Deliver = std::function<Task<Result<DeliveryResult>>(const IncomingRecord& record)>;

  DeliveryPool(Deliver deliver, DeliveryPoolSettings settings, Scheduler& scheduler,
               DeliveryProbe& probe);
  ~DeliveryPool();  // ends deliveries in progress: they are in doubt

  // Returns false when the lane is full or the pool is stopping: offer the record again. Never
  // blocks. Safe to call on any thread.
  bool Offer(size_t lane, IncomingRecord&& record, Finish finish);

  // Drops the records in the lanes unfinished (they are read again), ends those that wait for a
  // retry, and waits for the others. Returns true if all ended before `deadline`. Blocks until all
  // have ended, bounded by the timeouts of a delivery. Not on the scheduler's thread, which must
  // run.
  bool Stop(SteadyTime deadline);

  // Safe to call on any thread.
  size_t WaitingCount(size_t lane) const;
  size_t InFlightCount() const;
  bool IsBlocked() const { return retrying_.load() > 0; }  // a delivery waits for a retry

 private:
  struct Item {
    IncomingRecord record;
    Finish finish;
  };

  bool HasRoom(size_t lane) const;  // under mutex_
  void PostStart();                 // under mutex_
  void StartDeliveries();
  Task<void> DeliverUntilDone(Item item);
  Task<bool> WaitUnlessStopping(Micros time);
  void EndWaits();

  const Deliver deliver_;
  const DeliveryPoolSettings settings_;
  Scheduler& scheduler_;
  DeliveryProbe& probe_;

  mutable std::mutex mutex_;
  std::condition_variable idle_;  // the last delivery ended
  std::array<std::deque<Item>, kLanes> lanes_;
  WeightedScheduler lane_scheduler_;
  size_t in_flight_ = 0;
  bool start_posted_ = false;
  bool stopping_ = false;

  std::atomic<size_t> retrying_{0};
  std::uint64_t next_wait_ = 0;  // of the scheduler's thread, as all that follows
  std::map<std::uint64_t, Callback<bool>> waits_;
  TaskGroup deliveries_;
};

}  // namespace tocsin
