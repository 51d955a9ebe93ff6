#include "tests/model/timeline.h"

#include <fmt/format.h>

namespace tocsin::model {

Dice::Dice(std::uint64_t seed) : state_(seed + 0x9E3779B97F4A7C15ULL) {
  state_ = (state_ ^ (state_ >> 30)) * 0xBF58476D1CE4E5B9ULL;
  state_ = (state_ ^ (state_ >> 27)) * 0x94D049BB133111EBULL;
  state_ = (state_ ^ (state_ >> 31)) | 1;
}

std::uint64_t Dice::Next() {
  state_ ^= state_ >> 12;
  state_ ^= state_ << 25;
  state_ ^= state_ >> 27;
  return (state_ * 0x2545F4914F6CDD1DULL) >> 11;
}

bool Dice::Chance(double of_one) {
  return of_one > 0 && static_cast<double>(Next()) < of_one * static_cast<double>(1ULL << 53);
}

Micros Dice::Between(Micros low, Micros high) {
  return low + Micros(static_cast<std::int64_t>(
                   Below(static_cast<std::uint64_t>((high - low).count()) + 1)));
}

void Timeline::After(Micros delay, std::function<void()> event) {
  if (!closed_) events_.emplace(std::pair(now_ + delay, scheduled_++), std::move(event));
}

bool Timeline::Step() {
  if (events_.empty()) return false;
  auto next = events_.extract(events_.begin());
  now_ = next.key().first;
  ++steps_;
  next.mapped()();
  return true;
}

void Timeline::Close() {
  closed_ = true;
  events_.clear();
}

void Timeline::Trace(const std::string& line) {
  if (tracing_)
    trace_.push_back(
        fmt::format("{:12.6f}  {}", static_cast<double>((now_ - kBegin).count()) / 1e6, line));
}

}  // namespace tocsin::model
