// Virtual time and randomness: they determine a run completely.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/ports/clock.h"

namespace tocsin::model {

// xorshift64* over a splitmix64 seed: the same on every machine.
class Dice {
 public:
  explicit Dice(std::uint64_t seed);
  std::uint64_t Next();
  std::uint64_t Below(std::uint64_t bound) { return Next() % bound; }  // [0, bound)
  bool Chance(double of_one);
  Micros Between(Micros low, Micros high);  // both included

 private:
  std::uint64_t state_;
};

// A queue of events. Events with equal times run in the order in which they were scheduled.
class Timeline final : public Clock {
 public:
  WallTime Now() const override { return now_; }
  SteadyTime SteadyNow() const override {
    return SteadyTime(std::chrono::hours(1) + (now_ - kBegin));
  }

  void After(Micros delay, std::function<void()> event);
  bool Step();  // runs the next event; false if there is none
  std::uint64_t Steps() const { return steps_; }
  void Close();  // drops all events; what their destruction schedules is dropped, too

  // The trace of the run; only recorded when enabled, for the replay of one seed.
  void EnableTrace() { tracing_ = true; }
  bool Tracing() const { return tracing_; }
  void Trace(const std::string& line);
  const std::vector<std::string>& TraceLines() const { return trace_; }

 private:
  static constexpr WallTime kBegin = FromUnixMicros(1'767'225'600'000'000);  // 2026-01-01

  WallTime now_ = kBegin;
  std::uint64_t scheduled_ = 0;
  std::uint64_t steps_ = 0;
  bool closed_ = false;
  std::map<std::pair<WallTime, std::uint64_t>, std::function<void()>> events_;
  bool tracing_ = false;
  std::vector<std::string> trace_;
};

}  // namespace tocsin::model
