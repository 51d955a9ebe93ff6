// Time as the core sees it.
#pragma once

#include "common/base/time.h"

namespace tocsin {

// Safe to call from several threads; never blocks.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime Now() const = 0;          // UTC; may be set back or forth by the machine
  virtual SteadyTime SteadyNow() const = 0;  // never goes back; for leases and deadlines
};

class SystemClock final : public Clock {
 public:
  WallTime Now() const override {
    return std::chrono::time_point_cast<Micros>(std::chrono::system_clock::now());
  }
  SteadyTime SteadyNow() const override { return std::chrono::steady_clock::now(); }
};

}  // namespace tocsin
