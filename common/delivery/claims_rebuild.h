// Restores the claims from the log when their store lost its memory.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>

#include "common/base/result.h"
#include "common/domain/topics.h"
#include "common/ports/claim_memory.h"
#include "common/ports/clock.h"
#include "common/ports/record_history.h"

namespace tocsin {

// First what is young, then all: a record lives 8 days at most.
constexpr std::chrono::minutes kYoung{15};
constexpr std::chrono::hours kOldest{8 * 24};

// A thread of its own. At start, and whenever it is told of a loss, it finds the store's memory,
// and unless that is whole restores it before anything works with it. Every process restores for
// itself: none waits for another, and doing it twice changes nothing.
class ClaimsRebuild {
 public:
  struct Parts {
    const Clock& clock;
    ClaimMemory& memory;
    RecordHistory& history;
    const Topics& topics;
  };
  struct Observer {
    std::function<void(bool known)> known;  // whether the claims may be asked
    std::function<void(size_t tries, bool whole)> restored;
    std::function<void(const Error&)> failed;  // it tries again by itself
  };

  // `in_flight`: how long after a claim its begin can still reach the log (lease without the POST).
  ClaimsRebuild(Parts parts, Micros in_flight, Observer observer);
  ~ClaimsRebuild();  // stops; a reading under way ends within a second

  // The store lost its memory. Never blocks.
  void TellLost();

 private:
  void Run();
  Status Rebuild();
  Status RestoreFrom(const StoreMemory& memory, WallTime from, bool whole);
  Result<bool> LogIsEmpty();
  bool Pause(Micros time);  // false when stopping

  const Parts parts_;
  const Micros in_flight_;
  const Observer observer_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool lost_ = true;  // nothing is known at first
  std::stop_source stop_;
  std::thread thread_;
};

}  // namespace tocsin
