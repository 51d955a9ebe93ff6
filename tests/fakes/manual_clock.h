// A clock that the test moves.
#pragma once

#include <mutex>

#include "common/ports/clock.h"

namespace tocsin {

// Safe to use from several threads.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(WallTime now = FromUnixMicros(1'767'225'600'000'000))  // 2026-01-01
      : now_(now) {}

  WallTime Now() const override {
    const std::lock_guard lock(mutex_);
    return now_;
  }
  SteadyTime SteadyNow() const override {
    const std::lock_guard lock(mutex_);
    return steady_;
  }

  // Time passes.
  void Advance(Micros by) {
    const std::lock_guard lock(mutex_);
    now_ += by;
    steady_ += by;
  }
  // The system time is set; no time passes.
  void Set(WallTime now) {
    const std::lock_guard lock(mutex_);
    now_ = now;
  }

 private:
  mutable std::mutex mutex_;
  WallTime now_;
  SteadyTime steady_{std::chrono::hours(1)};
};

}  // namespace tocsin
