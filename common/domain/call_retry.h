// When a call that reached nobody is placed again (pure).
#pragma once

#include <optional>

#include "common/base/time.h"
#include "common/domain/folding.h"
#include "tocsin/v1/records.pb.h"

namespace tocsin {

// "Call until reached", with a cap. All of it is data.
struct CallRetryPolicy {
  Micros busy = std::chrono::minutes(2);
  Micros no_answer = std::chrono::minutes(5);
  Micros failed = std::chrono::minutes(5);  // the carrier could not put it through
  Micros machine = std::chrono::minutes(10);
  unsigned calls = 6;  // placed in all, the first one included
};

// How a call ended that reached nobody: BUSY, NO_ANSWER, ANSWERED_MACHINE when it is over, or
// FAILED unless it was cancelled or the number is at fault. Nothing for all else that a carrier
// tells.
std::optional<v1::TryStatus> UnreachedBy(const Fact& fact);

// The next call after one that ended as `outcome`, an answer of UnreachedBy(), at `ended`: exactly
// the policy's wait later. Nothing when the calls are used up, and when it would lie after the
// horizon. A function of its arguments: a repetition gives the same record to the byte.
std::optional<v1::WorkRecord> NextCall(const v1::WorkRecord& work, v1::TryStatus outcome,
                                       WallTime ended, const CallRetryPolicy& policy);

// Whether the policy's cap stops a next call.
bool CallsAreUsedUp(const v1::WorkRecord& work, const CallRetryPolicy& policy);

}  // namespace tocsin
