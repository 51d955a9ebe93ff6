// Ranges of alert ids by time: a bound on the id excludes the partitions of other months.
#pragma once

#include <algorithm>
#include <chrono>
#include <string>

#include "common/base/time.h"
#include "common/base/uuid.h"

namespace tocsin::audit {

// An id contains the create time, or the beginning of its day (UTC) if the alert has an idempotency
// key. One hour is for clocks that differ.
constexpr std::chrono::hours kIdLag{25};

// No alert accepted at or after `time` has a lower id.
inline std::string LowestIdSince(WallTime time) {
  return FirstUuidAt(
      std::chrono::floor<std::chrono::milliseconds>(std::max(time - kIdLag, FromUnixMicros(0))));
}

// No alert accepted before `time` has this id or a higher one.
inline std::string IdAfter(WallTime time) {
  return FirstUuidAt(
      std::chrono::floor<std::chrono::milliseconds>(std::max(time + kIdLag, FromUnixMicros(0))));
}

}  // namespace tocsin::audit
