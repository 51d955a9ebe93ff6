// Random values that depend on a seed and a key but not on the order of use, so that a run is
// reproducible even if threads race.
#pragma once

#include <cstdint>

namespace tocsin::sim {

// SplitMix64's finaliser (Steele, Lea, Flood 2014): a bijection of 64 bits.
constexpr std::uint64_t Mix(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

// The inverse of Mix().
constexpr std::uint64_t Unmix(std::uint64_t z) {
  z = (z ^ (z >> 31) ^ (z >> 62)) * 0x319642b2d24d8ec3U;
  z = (z ^ (z >> 27) ^ (z >> 54)) * 0x96de1b173f119089U;
  return z ^ (z >> 30) ^ (z >> 60);
}

// Values for different purposes are independent.
enum class Purpose : std::uint64_t {
  kSidHigh = 1,
  kSidLow,
  kRequestId,
  kDelay,
  kCreateFault,
  kCallbackFault,
  kCallbackToken,
  kAuthToken,
};

// Immutable value.
class SeededRandom {
 public:
  explicit SeededRandom(std::uint64_t seed) : seed_(seed) {}

  std::uint64_t Draw(Purpose purpose, std::uint64_t number, std::uint64_t step = 0) const {
    return Mix(Mix(Key(purpose) ^ Mix(number)) + step);
  }
  // In [0, 1).
  double Unit(Purpose purpose, std::uint64_t number, std::uint64_t step = 0) const {
    return static_cast<double>(Draw(purpose, number, step) >> 11) * 0x1.0p-53;
  }
  std::uint64_t Key(Purpose purpose) const {
    return Mix(seed_ + static_cast<std::uint64_t>(purpose) * 0x9e3779b97f4a7c15U);
  }
  std::uint64_t Seed() const { return seed_; }

 private:
  std::uint64_t seed_;
};

}  // namespace tocsin::sim
