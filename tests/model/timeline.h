// Virtual time and dice: all that decides the order of things in a run.
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

// What happens when. Events of one instant happen in the order in which they were planned.
class Timeline final : public Clock {
 public:
  WallTime Now() const override { return now_; }
  SteadyTime SteadyNow() const override {
    return SteadyTime(std::chrono::hours(1) + (now_ - kBegin));
  }

  void After(Micros wait, std::function<void()> event);
  bool Step();  // the next event; false when there is none
  std::uint64_t Steps() const { return steps_; }

  // The story of the run, kept only for who replays one seed.
  void KeepStory() { telling_ = true; }
  bool Telling() const { return telling_; }
  void Tell(const std::string& line);
  const std::vector<std::string>& Story() const { return story_; }

 private:
  static constexpr WallTime kBegin = FromUnixMicros(1'767'225'600'000'000);  // 2026-01-01

  WallTime now_ = kBegin;
  std::uint64_t planned_ = 0;
  std::uint64_t steps_ = 0;
  std::map<std::pair<WallTime, std::uint64_t>, std::function<void()>> events_;
  bool telling_ = false;
  std::vector<std::string> story_;
};

}  // namespace tocsin::model
