#include "common/domain/call_retry.h"

#include <algorithm>

namespace tocsin {
namespace {

std::optional<Micros> WaitAfter(v1::TryStatus outcome, const CallRetryPolicy& policy) {
  switch (outcome) {
    case v1::TRY_STATUS_BUSY: return policy.busy;
    case v1::TRY_STATUS_NO_ANSWER: return policy.no_answer;
    case v1::TRY_STATUS_ANSWERED_MACHINE: return policy.machine;
    default: return std::nullopt;
  }
}

}  // namespace

std::optional<v1::WorkRecord> NextCall(const v1::WorkRecord& work, v1::TryStatus outcome,
                                       WallTime ended, const CallRetryPolicy& policy) {
  const std::optional<Micros> wait = WaitAfter(outcome, policy);
  const unsigned placed = std::max(work.budget().calls(), 1U);
  if (!wait || placed >= policy.calls) return std::nullopt;
  v1::WorkRecord next = work;
  next.mutable_try_()->set_try_(work.try_().try_() + 1);
  next.mutable_budget()->set_calls(placed + 1);
  next.set_due_time_us(ToUnixMicros(ended + *wait));
  next.clear_slot();
  next.clear_acceptance();
  if (next.due_time_us() >= work.not_after_us()) return std::nullopt;
  return next;
}

}  // namespace tocsin
