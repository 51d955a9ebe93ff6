// Whether a dependency responds, and for how long it has or has not.
#pragma once

#include <chrono>
#include <optional>

#include "common/base/time.h"

namespace tocsin {

// The caller reports the result of every request, and makes one at least every kMaxSilence: without
// requests nothing is known of the dependency. Not thread-safe.
class CircuitBreaker {
 public:
  static constexpr Micros kProbeInterval = std::chrono::seconds(1);
  static constexpr Micros kMaxSilence = std::chrono::seconds(3);

  void RecordSuccess(SteadyTime now) {
    failing_since_.reset();
    if (!responding_since_ || IsSilent(now)) responding_since_ = now;
    last_success_ = now;
  }
  void RecordFailure(SteadyTime now) {
    responding_since_.reset();
    if (!failing_since_) failing_since_ = now;
  }

  // The first failure since the last success was at least `time` ago.
  bool FailingFor(Micros time, SteadyTime now) const {
    return failing_since_ && now - *failing_since_ >= time;
  }
  // All requests since at least `time` have succeeded.
  bool RespondingFor(Micros time, SteadyTime now) const {
    return responding_since_ && now - *responding_since_ >= time && !IsSilent(now);
  }
  // False while it has been failing for `time`, except for one probe every kProbeInterval: each
  // request costs a timeout.
  bool AllowRequest(Micros time, SteadyTime now) {
    if (!failing_since_ || now - *failing_since_ < time) return true;
    if (last_probe_ && now - *last_probe_ < kProbeInterval) return false;
    last_probe_ = now;
    return true;
  }

 private:
  bool IsSilent(SteadyTime now) const { return now - last_success_ > kMaxSilence; }

  std::optional<SteadyTime> responding_since_;
  std::optional<SteadyTime> failing_since_;
  std::optional<SteadyTime> last_probe_;
  SteadyTime last_success_;
};

}  // namespace tocsin
