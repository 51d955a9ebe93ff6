// Selects the lane that a free sender takes its next record from (pure).
#pragma once

#include <array>
#include <cstddef>
#include <optional>

namespace tocsin {

constexpr size_t kLanes = 4;  // emergency, high, normal, bulk: the order of Topics::Lanes

// Emergency has strict priority. The other lanes share by weight (smooth weighted round robin), so
// that bulk is never starved by high and normal. Not thread-safe.
class WeightedScheduler {
 public:
  // The next lane among those with `waiting` records; nothing if there is none. With
  // `emergency_only` only the first lane is considered.
  std::optional<size_t> Pick(const std::array<bool, kLanes>& waiting, bool emergency_only);

 private:
  static constexpr std::array<int, kLanes> kWeights{0, 8, 4, 1};
  std::array<int, kLanes> credit_{};
};

}  // namespace tocsin
