// A scheduler in the time of a ManualClock.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "common/async/scheduler.h"
#include "tests/fakes/manual_clock.h"

namespace tocsin {

// Runs events when the test calls Run(), on its thread. `clock` must outlive it.
class ManualScheduler final : public Scheduler {
 public:
  explicit ManualScheduler(ManualClock& clock) : clock_(clock) {}

  void Post(std::function<void()> event) override { posted_.push_back(std::move(event)); }
  void After(Micros delay, std::function<void()> event) override {
    timers_.emplace(clock_.SteadyNow() + delay, std::move(event));
  }

  // Runs what was posted and what is due, until nothing is left.
  void Run() {
    while (true) {
      if (!posted_.empty()) {
        const auto event = std::move(posted_.front());
        posted_.pop_front();
        event();
      } else if (!timers_.empty() && timers_.begin()->first <= clock_.SteadyNow()) {
        const auto event = std::move(timers_.extract(timers_.begin()).mapped());
        event();
      } else {
        return;
      }
    }
  }

  // The time until the next timer ends; nothing if there is none.
  std::optional<Micros> NextTimer() const {
    if (timers_.empty()) return std::nullopt;
    return std::chrono::duration_cast<Micros>(timers_.begin()->first - clock_.SteadyNow());
  }

  // Advances the clock to the next timer and runs it. False if there is none.
  bool RunNext() {
    Run();
    const std::optional<Micros> left = NextTimer();
    if (!left) return false;
    clock_.Advance(*left);
    Run();
    return true;
  }

 private:
  ManualClock& clock_;
  std::deque<std::function<void()>> posted_;
  std::multimap<SteadyTime, std::function<void()>> timers_;
};

}  // namespace tocsin
