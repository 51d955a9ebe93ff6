// When a call that reached nobody is placed again (pure).
#pragma once

#include <optional>

#include "common/base/time.h"
#include "tocsin/v1/records.pb.h"

namespace tocsin {

// "Call until reached", with a cap. All of it is data.
struct CallRetryPolicy {
  Micros busy = std::chrono::minutes(2);
  Micros no_answer = std::chrono::minutes(5);
  Micros machine = std::chrono::minutes(10);
  unsigned calls = 6;  // placed in all, the first one included
};

// The next call after one that ended as `outcome` at `ended`: exactly the policy's wait later, for
// BUSY, NO_ANSWER and ANSWERED_MACHINE. Nothing for other outcomes, when the calls are used up, and
// when it would lie after the horizon. A function of its arguments: a repetition gives the same
// record to the byte.
std::optional<v1::WorkRecord> NextCall(const v1::WorkRecord& work, v1::TryStatus outcome,
                                       WallTime ended, const CallRetryPolicy& policy);

}  // namespace tocsin
