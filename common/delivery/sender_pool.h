// Threads that deliver records, and the bounded lanes from which they take them.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "common/base/result.h"
#include "common/delivery/delivery_result.h"
#include "common/delivery/probe.h"
#include "common/delivery/weighted_scheduler.h"
#include "common/ports/record_log.h"

namespace tocsin {

struct SenderPoolSettings {
  size_t senders = 100;                // threads; each delivers one record at a time
  size_t reserved_for_emergency = 10;  // of them
  size_t lane_capacity = 1000;         // records waiting in a lane
};

// A record whose dependencies fail stays with its sender, which retries with a delay that grows to
// a second. While a store is down the senders fill up, then the lanes, then the consumers pause:
// nothing is dropped. Safe to use from several threads.
class SenderPool {
 public:
  // Called once, on a sender's thread, when the record's offset may be stored.
  using Finish = std::function<void()>;

  // Delivers one record; blocks. Called on sender threads. After an error it is called again.
  using Deliver = std::function<Result<DeliveryResult>(const IncomingRecord& record)>;

  // The probe must outlive the pool.
  SenderPool(Deliver deliver, SenderPoolSettings settings, DeliveryProbe& probe);
  ~SenderPool();  // as Stop() without waiting for the deadline

  // Returns false when the lane is full or the pool is stopping: offer the record again. Never
  // blocks.
  bool Offer(size_t lane, IncomingRecord&& record, Finish finish);

  // Drops the records in the lanes unfinished (they are read again) and waits for those with a
  // sender. Returns true if every sender ended before `deadline`. Blocks until all have ended. May
  // be called once.
  bool Stop(SteadyTime deadline);

  size_t WaitingCount(size_t lane) const;
  size_t BusyCount() const { return busy_.load(); }
  bool IsBlocked() const { return blocked_.load() > 0; }  // a sender waits to retry

 private:
  struct Item {
    IncomingRecord record;
    Finish finish;
  };

  void Serve(bool emergency_only);
  bool Take(bool emergency_only, Item& item);
  void DeliverUntilDone(Item& item);
  bool SleepUnlessStopping(Micros time);

  const Deliver deliver_;
  const SenderPoolSettings settings_;
  DeliveryProbe& probe_;

  mutable std::mutex mutex_;
  std::condition_variable work_;       // a lane got a record
  std::condition_variable emergency_;  // the emergency lane got a record
  std::condition_variable stopping_changed_;
  std::condition_variable ended_;
  std::array<std::deque<Item>, kLanes> lanes_;
  WeightedScheduler scheduler_;
  bool stopping_ = false;
  size_t alive_ = 0;
  std::atomic<size_t> busy_{0};
  std::atomic<size_t> blocked_{0};
  std::vector<std::thread> threads_;
};

}  // namespace tocsin
