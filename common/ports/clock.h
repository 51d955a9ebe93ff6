// The time, as an argument of the core.
#pragma once

#include "common/base/time.h"

namespace tocsin {

// Safe to use from several threads; never blocks.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime Now() const = 0;          // UTC; may jump when the system time is set
  virtual SteadyTime SteadyNow() const = 0;  // monotonic; for leases and deadlines
};

class SystemClock final : public Clock {
 public:
  WallTime Now() const override {
    return std::chrono::time_point_cast<Micros>(std::chrono::system_clock::now());
  }
  SteadyTime SteadyNow() const override { return std::chrono::steady_clock::now(); }
};

}  // namespace tocsin
