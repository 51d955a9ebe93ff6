// Which lane a free sender takes from (pure).
#pragma once

#include <array>
#include <cstddef>
#include <optional>

namespace tocsin {

constexpr size_t kLanes = 4;  // emergency, high, normal, bulk: the order of Topics::Lanes

// Emergency strictly first; the others share by weight (smooth weighted round robin), so that the
// least of them still moves. Not thread-safe.
class LanePicker {
 public:
  // The lane to take from among those with waiting work; nothing when none may be served. With
  // `emergency_only` just the first is asked.
  std::optional<size_t> Pick(const std::array<bool, kLanes>& waiting, bool emergency_only);

 private:
  static constexpr std::array<int, kLanes> kWeights{0, 8, 4, 1};
  std::array<int, kLanes> credit_{};
};

}  // namespace tocsin
