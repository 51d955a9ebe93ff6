// When a call that reached nobody is retried (pure). V3
#pragma once

#include <optional>

#include "common/base/time.h"
#include "common/domain/alert/alert_projection.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin {

// "Call until reached", with a maximum number of calls.
struct CallRetryPolicy {
  Micros busy = std::chrono::minutes(2);
  Micros no_answer = std::chrono::minutes(5);
  Micros failed = std::chrono::minutes(5);  // the carrier could not connect it
  Micros machine = std::chrono::minutes(10);
  std::int32_t max_calls = 6;  // including the first one
};

// The outcome of a call that reached nobody: BUSY, NO_ANSWER, ANSWERED_MACHINE after it was
// completed, or FAILED unless it was cancelled or the number is invalid. nullopt for all other
// events.
std::optional<v1::AttemptStatus> UnreachedBy(const AlertEvent& alert_event);

// The next call after one with `outcome`, a result of UnreachedBy(), that ended at `ended`: due
// exactly the policy's delay later. nullopt if the maximum is reached or it would be due after the
// expire time. A pure function: a repetition gives identical bytes.
std::optional<records::v1::WorkRecord> NextCall(const records::v1::WorkRecord& work,
                                                v1::AttemptStatus outcome, WallTime ended,
                                                const CallRetryPolicy& policy);

// Whether the maximum number of calls is reached.
bool CallsExhausted(const records::v1::WorkRecord& work, const CallRetryPolicy& policy);

}  // namespace tocsin
