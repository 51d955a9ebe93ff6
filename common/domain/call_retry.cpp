#include "common/domain/call_retry.h"

#include <algorithm>

#include "common/base/error.h"
#include "common/domain/twilio_errors.h"

namespace tocsin {
namespace {

std::optional<Micros> WaitAfter(v1::TryStatus outcome, const CallRetryPolicy& policy) {
  switch (outcome) {
    case v1::TRY_STATUS_BUSY: return policy.busy;
    case v1::TRY_STATUS_NO_ANSWER: return policy.no_answer;
    case v1::TRY_STATUS_FAILED: return policy.failed;
    case v1::TRY_STATUS_ANSWERED_MACHINE: return policy.machine;
    default: return std::nullopt;
  }
}

unsigned Placed(const v1::WorkRecord& work) { return std::max(work.budget().calls(), 1U); }

// Twilio says of few failed calls why; what it does not explain may pass.
bool MayPass(const Fact& fact) {
  if (fact.reason == TraitsOf(ErrorCode::kCancelled).name) return false;
  switch (Describe(fact.provider_code).error_class) {
    case TwilioErrorClass::kUnknown:
    case TwilioErrorClass::kTransientDelivery:
    case TwilioErrorClass::kRateLimitAfter: return true;
    default: return false;
  }
}

}  // namespace

std::optional<v1::TryStatus> UnreachedBy(const Fact& fact) {
  if (fact.kind != FactKind::kCallback || !fact.provider_sid.starts_with(kCallSidPrefix))
    return std::nullopt;
  switch (fact.status) {
    case v1::TRY_STATUS_BUSY:
    case v1::TRY_STATUS_NO_ANSWER: return fact.status;
    case v1::TRY_STATUS_FAILED: return MayPass(fact) ? std::optional(fact.status) : std::nullopt;
    case v1::TRY_STATUS_DELIVERED:
      if (fact.reason == kTakenByMachine) return v1::TRY_STATUS_ANSWERED_MACHINE;
      return std::nullopt;
    default: return std::nullopt;
  }
}

std::optional<v1::WorkRecord> NextCall(const v1::WorkRecord& work, v1::TryStatus outcome,
                                       WallTime ended, const CallRetryPolicy& policy) {
  const std::optional<Micros> wait = WaitAfter(outcome, policy);
  if (!wait || CallsAreUsedUp(work, policy)) return std::nullopt;
  v1::WorkRecord next = work;
  next.mutable_try_()->set_try_(work.try_().try_() + 1);
  next.mutable_budget()->set_calls(Placed(work) + 1);
  next.set_due_time_us(ToUnixMicros(ended + *wait));
  next.clear_slot();
  next.clear_acceptance();
  if (next.due_time_us() >= work.not_after_us()) return std::nullopt;
  return next;
}

bool CallsAreUsedUp(const v1::WorkRecord& work, const CallRetryPolicy& policy) {
  return Placed(work) >= policy.calls;
}

}  // namespace tocsin
