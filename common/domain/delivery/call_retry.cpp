#include "common/domain/delivery/call_retry.h"

#include <algorithm>

#include "common/base/error.h"

namespace tocsin {
namespace {

std::optional<Micros> DelayAfter(v1::AttemptStatus outcome, const CallRetryPolicy& policy) {
  switch (outcome) {
    case v1::ATTEMPT_STATUS_BUSY: return policy.busy;
    case v1::ATTEMPT_STATUS_NO_ANSWER: return policy.no_answer;
    case v1::ATTEMPT_STATUS_FAILED: return policy.failed;
    case v1::ATTEMPT_STATUS_ANSWERED_MACHINE: return policy.machine;
    default: return std::nullopt;
  }
}

std::int32_t Placed(const records::v1::WorkRecord& work) {
  return std::max(work.retry_budget().calls_placed(), 1);
}

// Twilio gives a code for few failed calls; a failure without a code may be temporary.
bool MayBeTemporary(const AlertEvent& alert_event) {
  switch (alert_event.error_class) {
    case records::v1::PROVIDER_ERROR_CLASS_UNKNOWN:
    case records::v1::PROVIDER_ERROR_CLASS_TRANSIENT_DELIVERY:
    case records::v1::PROVIDER_ERROR_CLASS_RATE_LIMIT_AFTER: return true;
    default: return false;
  }
}

}  // namespace

std::optional<v1::AttemptStatus> UnreachedBy(const AlertEvent& alert_event) {
  if (alert_event.webhook_kind != records::v1::WEBHOOK_KIND_VOICE_STATUS) return std::nullopt;
  switch (alert_event.status) {
    case v1::ATTEMPT_STATUS_BUSY:
    case v1::ATTEMPT_STATUS_NO_ANSWER: return alert_event.status;
    case v1::ATTEMPT_STATUS_FAILED:
      return MayBeTemporary(alert_event) ? std::optional(alert_event.status) : std::nullopt;
    case v1::ATTEMPT_STATUS_DELIVERED:
      if (alert_event.answered_by == v1::ANSWERED_BY_MACHINE)
        return v1::ATTEMPT_STATUS_ANSWERED_MACHINE;
      return std::nullopt;
    default: return std::nullopt;
  }
}

std::optional<records::v1::WorkRecord> NextCall(const records::v1::WorkRecord& work,
                                                v1::AttemptStatus outcome, WallTime ended,
                                                const CallRetryPolicy& policy) {
  const std::optional<Micros> delay = DelayAfter(outcome, policy);
  if (!delay || CallsExhausted(work, policy)) return std::nullopt;
  records::v1::WorkRecord next = work;
  next.mutable_attempt()->set_attempt(work.attempt().attempt() + 1);
  next.mutable_retry_budget()->set_calls_placed(Placed(work) + 1);
  next.set_due_time_us(ToUnixMicros(ended + *delay));
  next.clear_rate_reservation();
  next.clear_acceptance();
  if (next.due_time_us() >= work.expire_time_us()) return std::nullopt;
  return next;
}

bool CallsExhausted(const records::v1::WorkRecord& work, const CallRetryPolicy& policy) {
  return Placed(work) >= policy.max_calls;
}

}  // namespace tocsin
