// Selects the lane of the next delivery (pure).
#pragma once

#include <array>
#include <cstddef>
#include <optional>

namespace tocsin {

constexpr size_t kLanes = 4;  // emergency, high, normal, bulk: the order of Topics::Lanes

// Emergency has strict priority. The other lanes that are ready share by weight (smooth weighted
// round robin). Not thread-safe.
class WeightedScheduler {
 public:
  // The next lane among the `ready` ones; nothing if there is none.
  std::optional<size_t> Pick(const std::array<bool, kLanes>& ready);

 private:
  static constexpr std::array<int, kLanes> kWeights{0, 8, 4, 1};
  std::array<int, kLanes> credit_{};
};

}  // namespace tocsin
