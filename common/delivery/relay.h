// Makes waiting cheap and exact: records on delay topics move on when their time in the tier is
// over or they are due, whichever comes first.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <queue>
#include <string>
#include <thread>
#include <vector>

#include "common/domain/topics.h"
#include "common/ports/clock.h"
#include "common/ports/record_log.h"

namespace tocsin {

// Copies bytes and opens nothing; never waits for a lane. What is held is a copy whose offset is
// not stored: a crash repeats it, and the claim absorbs the repetition.
class Relay {
 public:
  using Finish = std::function<void()>;  // called once, when the record's next stop is on disk

  // kByHand: who brings a time of its own (a simulation) calls MoveDue() instead.
  enum class Drive { kOwnThread, kByHand };

  // Of a partition of the shortest tier this many records are held at once, so that each leaves at
  // its own due time. The others fall due in the order they came: of those a few are under way at a
  // time, so that a kill repeats little and a crowd that waits for one moment need not wait for a
  // report each; the next stand ready behind them, for what is refused is offered again only after
  // 25 ms.
  static constexpr size_t kHeldOfShortest = 10'000;
  static constexpr size_t kHeldOfLonger = 128;
  static constexpr size_t kUnderWayOfLonger = 32;

  Relay(const Clock& clock, RecordLog& log, const Topics& topics, Drive drive = Drive::kOwnThread);
  ~Relay();  // as Stop()

  // Takes no more and drops what is held, unfinished: it is read again. Waits for records on their
  // way, the log's delivery time-out at most. May be called again.
  void Stop();

  // False when this partition's share is held already: keep the record and offer it again. Never
  // blocks.
  bool Offer(IncomingRecord&& record, Finish finish);

  // Moves on what is due by now, and says how long the next has to wait; nothing when none waits.
  std::optional<Micros> MoveDue();

  size_t Held() const;
  std::uint64_t Moved() const;    // records handed on
  std::uint64_t Dropped() const;  // records that are no work: counted, passed over
  // By how much the last record left after its time.
  Micros LastLateness() const;

 private:
  struct Item;
  // What is held of one partition.
  struct Line {
    size_t held = 0;
    std::deque<Item*> behind;  // those under way, in a longer tier
  };
  struct Item {
    WallTime moves_on;
    std::uint64_t order;  // of arrival, between equals
    IncomingRecord record;
    Finish finish;
    Line& line;
  };
  struct Later {
    bool operator()(const Item* a, const Item* b) const {
      return a->moves_on != b->moves_on ? a->moves_on > b->moves_on : a->order > b->order;
    }
  };

  void Run();
  std::optional<Micros> MoveDue(std::unique_lock<std::mutex>& lock);
  void Move(Item* item);
  void Ended(Item* item, const PublishReport& report);

  const Clock& clock_;
  RecordLog& log_;
  const Topics& topics_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::priority_queue<Item*, std::vector<Item*>, Later> waiting_;
  std::map<std::string, Line> lines_;  // by topic and partition
  size_t moving_ = 0;                  // published, report awaited
  std::uint64_t order_ = 0;
  std::uint64_t moved_ = 0;
  std::uint64_t dropped_ = 0;
  Micros lateness_{};
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace tocsin
