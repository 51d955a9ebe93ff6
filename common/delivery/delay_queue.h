// Moves records from the delay topics on: to their lane when they are due, or to the next delay
// topic when their time in this one is over.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <queue>
#include <string>
#include <vector>

#include "common/async/scheduler.h"
#include "common/ports/clock.h"
#include "common/ports/record_log.h"
#include "common/ports/topics.h"

namespace tocsin {

// Copies records without opening their content. It holds copies of records whose offsets are not
// stored: after a crash they are read again, and claims make the repetition harmless. Records leave
// on the scheduler's thread; the scheduler outlives the queue, which is destroyed while that thread
// does not run, or on it. The other functions are safe to call on any thread.
class DelayQueue {
 public:
  using Finish = std::function<void()>;  // called once, when the moved record is on disk

  // The 5 s tier: records held per partition. Each leaves at its own due time, in any order.
  static constexpr size_t kMaxHeldShortest = 10'000;
  // The other tiers: records become due in the order of the partition. Few are in flight, so that a
  // crash repeats little; the next ones are held ready, because a refused record is offered again
  // only after 25 ms.
  static constexpr size_t kMaxHeldLonger = 128;
  static constexpr size_t kMaxInFlightLonger = 32;

  DelayQueue(const Clock& clock, Scheduler& scheduler, RecordLog& log, const Topics& topics)
      : clock_(clock), scheduler_(scheduler), log_(log), topics_(topics) {}

  // Stops taking records and drops what it holds, unfinished: it is read again. Blocks until
  // publishes in flight have ended, the publish timeout at most. Not on the scheduler's thread.
  void Stop();

  // Returns false when the queue holds the maximum for this partition: offer the record again.
  // Never blocks.
  bool Offer(IncomingRecord&& record, Finish finish);

  size_t HeldCount() const;
  std::uint64_t MovedCount() const;
  std::uint64_t DroppedCount() const;  // records that are not work records
  Micros LastLateness() const;         // of the last moved record: how long after its time it left

 private:
  struct Item;
  using ItemPtr = std::shared_ptr<Item>;

  struct Partition {
    size_t held = 0;
    std::deque<ItemPtr> ready;  // longer tiers: records after those in flight
  };
  struct Item {
    WallTime move_time;
    std::uint64_t order;  // of arrival: breaks ties
    IncomingRecord record;
    Finish finish;
    Partition& partition;
  };
  struct Later {
    bool operator()(const ItemPtr& a, const ItemPtr& b) const {
      return a->move_time != b->move_time ? a->move_time > b->move_time : a->order > b->order;
    }
  };

  void MoveDue();
  void PostMoveDue();  // under mutex_
  void MoveAfter(Micros time);
  void Move(const ItemPtr& item);
  void OnPublished(const ItemPtr& item, const PublishReport& report);

  const Clock& clock_;
  Scheduler& scheduler_;
  RecordLog& log_;
  const Topics& topics_;
  mutable std::mutex mutex_;
  std::condition_variable idle_;  // no publish is in flight
  std::priority_queue<ItemPtr, std::vector<ItemPtr>, Later> waiting_;
  std::map<std::string, Partition> partitions_;  // by topic and partition
  size_t in_flight_ = 0;                         // published, report pending
  std::uint64_t next_order_ = 0;
  std::uint64_t moved_ = 0;
  std::uint64_t dropped_ = 0;
  Micros lateness_{};
  bool stopping_ = false;
  bool move_posted_ = false;
  std::optional<SteadyTime> timer_end_;  // of the scheduler's thread
};

}  // namespace tocsin
