// Whether a dependency responds, and for how long it has or has not.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>

#include "common/base/time.h"

namespace tocsin {

// The caller reports the result of every request. The dependency counts as responding from
// construction on. Safe to use from several threads.
class CircuitBreaker {
 public:
  static constexpr Micros kProbeInterval = std::chrono::seconds(1);

  explicit CircuitBreaker(SteadyTime now) : responding_since_(now) {}

  void RecordSuccess(SteadyTime now) {
    const std::lock_guard lock(mutex_);
    failing_since_.reset();
    if (!responding_since_) responding_since_ = now;
  }
  void RecordFailure(SteadyTime now) {
    const std::lock_guard lock(mutex_);
    responding_since_.reset();
    if (!failing_since_) failing_since_ = now;
  }

  // The first failure since the last success was at least `time` ago.
  bool FailingFor(Micros time, SteadyTime now) const {
    const std::lock_guard lock(mutex_);
    return failing_since_ && now - *failing_since_ >= time;
  }
  // The first success since the last failure was at least `time` ago.
  bool RespondingFor(Micros time, SteadyTime now) const {
    const std::lock_guard lock(mutex_);
    return responding_since_ && now - *responding_since_ >= time;
  }
  // False while it has been failing for `time`, except for one probe every kProbeInterval: each
  // request costs a timeout.
  bool AllowRequest(Micros time, SteadyTime now) {
    const std::lock_guard lock(mutex_);
    if (!failing_since_ || now - *failing_since_ < time) return true;
    if (last_probe_ && now - *last_probe_ < kProbeInterval) return false;
    last_probe_ = now;
    return true;
  }

 private:
  mutable std::mutex mutex_;
  std::optional<SteadyTime> responding_since_;
  std::optional<SteadyTime> failing_since_;
  std::optional<SteadyTime> last_probe_;
};

}  // namespace tocsin
