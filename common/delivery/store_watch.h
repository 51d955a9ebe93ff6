// How long a store has answered, or has not.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>

#include "common/base/time.h"

namespace tocsin {

// Told of every call by whoever makes it. It is taken to answer when it is first watched. Safe to
// use from several threads.
class StoreWatch {
 public:
  static constexpr Micros kBetweenQuestions = std::chrono::seconds(1);

  explicit StoreWatch(SteadyTime now) : answers_since_(now) {}

  void Answered(SteadyTime now) {
    const std::lock_guard lock(mutex_);
    silent_since_.reset();
    if (!answers_since_) answers_since_ = now;
  }
  void WasSilent(SteadyTime now) {
    const std::lock_guard lock(mutex_);
    answers_since_.reset();
    if (!silent_since_) silent_since_ = now;
  }

  // No call was answered from `now - time` on, and one at least was made by then.
  bool SilentFor(Micros time, SteadyTime now) const {
    const std::lock_guard lock(mutex_);
    return silent_since_ && now - *silent_since_ >= time;
  }
  // False while it has been silent for `time`, but for one caller every kBetweenQuestions: waiting
  // for an answer that does not come is dear.
  bool MayBeAsked(Micros time, SteadyTime now) {
    const std::lock_guard lock(mutex_);
    if (!silent_since_ || now - *silent_since_ < time) return true;
    if (asked_ && now - *asked_ < kBetweenQuestions) return false;
    asked_ = now;
    return true;
  }
  // Every call was.
  bool AnsweredFor(Micros time, SteadyTime now) const {
    const std::lock_guard lock(mutex_);
    return answers_since_ && now - *answers_since_ >= time;
  }

 private:
  mutable std::mutex mutex_;
  std::optional<SteadyTime> silent_since_;
  std::optional<SteadyTime> answers_since_;
  std::optional<SteadyTime> asked_;  // in its silence
};

}  // namespace tocsin
