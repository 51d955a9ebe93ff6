// When to try again (pure).
#pragma once

#include <string_view>

#include "common/base/time.h"

namespace tocsin {

// Capped exponential backoff with full jitter. Attempts are counted from 1.
struct BackoffPolicy {
  Micros base = std::chrono::seconds(2);
  Micros cap = std::chrono::minutes(15);
};

// A wait in [0, min(cap, base * 2^(attempt-1))], drawn from a hash of `seed` (the try's name), so
// that whoever repeats the step waits the same; never less than `at_least` (Retry-After), never
// more than cap + at_least.
Micros BackoffDelay(const BackoffPolicy& policy, unsigned attempt, std::string_view seed,
                    Micros at_least);

}  // namespace tocsin
