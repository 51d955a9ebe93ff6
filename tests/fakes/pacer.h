// Turns at a sender's rate, in memory.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <string>

#include "common/ports/claims.h"
#include "common/ports/clock.h"

namespace tocsin {

// Safe to use from several threads. `clock` is the store's time.
class FakePacer final : public Pacer {
 public:
  explicit FakePacer(const Clock& clock) : clock_(clock) {}

  void SetDown(bool down) {
    const std::lock_guard lock(mutex_);
    down_ = down;
  }

  Result<WallTime> TakeTurn(const std::string& sender, double units_per_second, unsigned segments,
                            WallTime latest) override {
    const std::lock_guard lock(mutex_);
    if (down_) return Fail(ErrorCode::kRedisUnavailable, "the store does not answer");
    if (!std::isfinite(units_per_second) || units_per_second <= 0)
      return Fail(ErrorCode::kInvalidArgument, "the rate of a sender must be positive");
    const double micros = std::ceil(std::max(1u, segments) * 1e6 / units_per_second);
    const Micros interval(static_cast<std::int64_t>(std::min(micros, 604'800e6)));
    const Micros burst = std::max<Micros>(std::chrono::seconds(1), interval);
    const WallTime now = clock_.Now();
    const WallTime ends = std::max(now, ends_[sender]) + interval;
    const WallTime turn = std::max(now, ends - burst);
    if (turn <= latest) ends_[sender] = ends;
    return turn;
  }

 private:
  const Clock& clock_;
  std::mutex mutex_;
  bool down_ = false;
  std::map<std::string, WallTime> ends_;  // when all turns given so far are used up
};

}  // namespace tocsin
