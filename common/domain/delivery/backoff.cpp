#include "common/domain/delivery/backoff.h"

#include <algorithm>
#include <cstdint>

#include "common/base/digest.h"

namespace tocsin {

Micros BackoffDelay(const BackoffPolicy& policy, std::int32_t attempt, std::string_view seed,
                    Micros at_least) {
  Micros ceiling = policy.base;
  for (std::int32_t i = 1; i < attempt && ceiling < policy.cap; ++i) ceiling *= 2;
  ceiling = std::min(ceiling, policy.cap);
  std::uint64_t bits = 0;
  const std::string digest = Sha256(seed);
  for (size_t i = 0; i < 8; ++i) bits = (bits << 8) | static_cast<std::uint8_t>(digest[i]);
  const auto span = static_cast<std::uint64_t>(ceiling.count()) + 1;
  const Micros jittered(static_cast<std::int64_t>(bits % span));
  return std::max(jittered, at_least);
}

}  // namespace tocsin
