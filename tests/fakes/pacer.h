// Pacer in memory.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <string>

#include "common/ports/claims.h"
#include "common/ports/clock.h"

namespace tocsin {

// Safe to use from several threads. `clock` is the store's clock.
class FakePacer final : public Pacer {
 public:
  explicit FakePacer(const Clock& clock) : clock_(clock) {}

  void SetDown(bool down) {
    const std::lock_guard lock(mutex_);
    down_ = down;
  }

  Task<Result<WallTime>> Reserve(const std::string& key, double units_per_second,
                                 std::int32_t units, WallTime latest) override {
    const std::lock_guard lock(mutex_);
    if (down_) co_return Fail(ErrorCode::kRedisUnavailable, "the store does not respond");
    if (!std::isfinite(units_per_second) || units_per_second <= 0)
      co_return Fail(ErrorCode::kInvalidArgument, "the rate is not positive");
    const double micros = std::ceil(std::max(1, units) * 1e6 / units_per_second);
    const Micros interval(static_cast<std::int64_t>(std::min(micros, 604'800e6)));
    const Micros burst = std::max<Micros>(std::chrono::seconds(1), interval);
    const WallTime now = clock_.Now();
    const WallTime ends = std::max(now, ends_[key]) + interval;
    const WallTime time = std::max(now, ends - burst);
    if (time <= latest) ends_[key] = ends;
    co_return time;
  }

 private:
  const Clock& clock_;
  std::mutex mutex_;
  bool down_ = false;
  std::map<std::string, WallTime> ends_;  // of the last reserved interval
};

}  // namespace tocsin
