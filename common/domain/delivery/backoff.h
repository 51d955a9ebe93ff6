// Delays between retries (pure). R2
#pragma once

#include <cstdint>
#include <string_view>

#include "common/base/time.h"

namespace tocsin {

// Capped exponential backoff with full jitter. Attempts are counted from 1.
struct BackoffPolicy {
  Micros base = std::chrono::seconds(2);
  Micros cap = std::chrono::minutes(15);
};

// A delay in [0, min(cap, base * 2^(attempt-1))], derived from a hash of `seed` (the attempt's text
// form), so that a repetition gives the same delay; never less than `at_least` (Retry-After), never
// more than cap + at_least.
Micros BackoffDelay(const BackoffPolicy& policy, std::int32_t attempt, std::string_view seed,
                    Micros at_least);

}  // namespace tocsin
