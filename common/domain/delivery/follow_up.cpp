#include "common/domain/delivery/follow_up.h"

#include <algorithm>
#include <string>

#include "common/base/error.h"
#include "common/base/time.h"
#include "common/domain/alert/alert_projection.h"
#include "common/domain/alert/ids.h"
#include "common/domain/delivery/in_doubt.h"
#include "common/domain/plan/plan.h"

namespace tocsin {
namespace {

std::string NameOf(ErrorCode code) { return std::string(TraitsOf(code).name); }

records::v1::Event EventOf(const records::v1::WorkRecord& work, std::string_view seed,
                           std::int64_t time_us) {
  records::v1::Event event;
  event.set_event_id(EventId(work.attempt(), seed));
  *event.mutable_attempt() = work.attempt();
  event.set_client_id(work.client_id());
  event.set_priority(work.priority());
  event.set_channel(work.channel());
  event.set_time_us(time_us);
  *event.mutable_recipient() = work.recipient();
  return event;
}

// Shown in the timeline.
std::string ResolutionNote(v1::ResolvedBy resolved_by) {
  switch (resolved_by) {  // no default: -Wswitch reports a missing row
    case v1::RESOLVED_BY_CALLBACK: return "confirmed by a callback";
    case v1::RESOLVED_BY_LIST: return "found in Twilio's list";
    case v1::RESOLVED_BY_RESPONSE: return "Twilio's response arrived late";
    case v1::RESOLVED_BY_POLICY: return "found neither in a callback nor in Twilio's list";
    case v1::RESOLVED_BY_LIST_ABSENCE: return "proven by Twilio's list";
    case v1::RESOLVED_BY_UNSPECIFIED: break;
    default: break;
  }
  return {};
}

// The seed contains more than the status: two claim holders may reach the same status by different
// results, and a failure after acceptance differs from one before it.
std::string SeedOf(const records::v1::AttemptResult& result, v1::AttemptStatus status) {
  return "status/" + std::to_string(status) + "/" + result.provider_sid() + "/" +
         std::to_string(result.resolved_by()) + "/" + std::to_string(result.end_time_us());
}

// The event of a status change.
records::v1::Event Changed(const records::v1::WorkRecord& work,
                           const records::v1::AttemptResult& result, v1::AttemptStatus status,
                           std::string reason) {
  records::v1::Event event = EventOf(work, SeedOf(result, status), result.end_time_us());
  records::v1::AttemptChanged& changed = *event.mutable_attempt_changed();
  changed.set_status(status);
  changed.set_reason(std::move(reason));
  changed.set_provider_code(result.provider_code());
  changed.set_error_class(result.error_class());
  changed.set_http_status(result.http_status());
  changed.set_provider_sid(result.provider_sid());
  changed.set_sender_id(result.sender_id());
  changed.set_account_sid(result.account_sid());
  changed.set_segment_count(result.segment_count());
  changed.set_resolved_by(result.resolved_by());
  changed.set_note(ResolutionNote(result.resolved_by()));
  return event;
}

records::v1::DeadLetterRecord Dead(const records::v1::WorkRecord& work,
                                   const records::v1::AttemptResult& result,
                                   const std::string& reason) {
  records::v1::DeadLetterRecord dead;
  *dead.mutable_work() = WithoutInDoubt(work);
  dead.set_reason(reason);
  dead.set_provider_code(result.provider_code());
  dead.set_time_us(result.end_time_us());
  return dead;
}

// How a retry is scheduled.
struct RetryRule {
  BackoffPolicy backoff;
  bool uses_budget;
};

std::optional<RetryRule> RetryRuleFor(const records::v1::AttemptResult& result,
                                      const RetryPolicy& policy) {
  switch (result.outcome()) {
    case records::v1::ATTEMPT_OUTCOME_RATE_LIMITED: return RetryRule{policy.rate, false};
    case records::v1::ATTEMPT_OUTCOME_NOT_SENT: return RetryRule{policy.unreachable, false};
    case records::v1::ATTEMPT_OUTCOME_REFUSED: break;
    default: return std::nullopt;
  }
  switch (result.error_class()) {
    case records::v1::PROVIDER_ERROR_CLASS_RATE_LIMIT_BEFORE: return RetryRule{policy.rate, false};
    case records::v1::PROVIDER_ERROR_CLASS_ACCOUNT:
    case records::v1::PROVIDER_ERROR_CLASS_TRANSIENT_DELIVERY:
    case records::v1::PROVIDER_ERROR_CLASS_RATE_LIMIT_AFTER: return RetryRule{policy.backoff, true};
    case records::v1::PROVIDER_ERROR_CLASS_PERMANENT_NUMBER:
    case records::v1::PROVIDER_ERROR_CLASS_PERMANENT_CONTENT:
    case records::v1::PROVIDER_ERROR_CLASS_OPT_OUT:
    case records::v1::PROVIDER_ERROR_CLASS_IN_DOUBT:
    case records::v1::PROVIDER_ERROR_CLASS_SENDER_SETUP:
    case records::v1::PROVIDER_ERROR_CLASS_GEOGRAPHY:
    case records::v1::PROVIDER_ERROR_CLASS_SCHEDULE:
    case records::v1::PROVIDER_ERROR_CLASS_UNKNOWN:
    default: return std::nullopt;
  }
  return std::nullopt;
}

// The next attempt; nullopt if the budget or the expire time does not allow it.
std::optional<records::v1::WorkRecord> NextAttempt(const records::v1::WorkRecord& work,
                                                   bool uses_budget, std::int64_t due_us) {
  records::v1::WorkRecord next = WithoutInDoubt(work);
  records::v1::RetryBudget& budget = *next.mutable_retry_budget();
  if (uses_budget) {
    if (budget.attempts_used() >= budget.attempts_max()) return std::nullopt;
    budget.set_attempts_used(budget.attempts_used() + 1);
  } else {
    budget.set_unmetered_retries(budget.unmetered_retries() + 1);
  }
  next.mutable_attempt()->set_attempt(work.attempt().attempt() + 1);
  next.set_due_time_us(due_us);
  next.clear_rate_reservation();
  if (due_us >= work.expire_time_us()) return std::nullopt;
  return next;
}

std::optional<records::v1::WorkRecord> RetryOf(const records::v1::WorkRecord& work,
                                               const records::v1::AttemptResult& result,
                                               const RetryPolicy& policy) {
  const std::optional<RetryRule> rule = RetryRuleFor(result, policy);
  if (!rule) return std::nullopt;
  const std::int32_t attempt = rule->uses_budget ? work.retry_budget().attempts_used()
                                                 : work.retry_budget().unmetered_retries() + 1;
  const Micros wait = BackoffDelay(rule->backoff, std::max(attempt, 1), AttemptText(work.attempt()),
                                   Micros(result.retry_after_us()));
  return NextAttempt(work, rule->uses_budget, result.end_time_us() + wait.count());
}

records::v1::ConsentRecord OptOut(const records::v1::WorkRecord& work,
                                  const records::v1::AttemptResult& result,
                                  std::string_view sender_address) {
  records::v1::ConsentRecord consent;
  *consent.mutable_recipient() = work.recipient();
  consent.set_sender_address(std::string(sender_address));
  consent.set_state(records::v1::CONSENT_STATE_OPTED_OUT);
  consent.set_observe_time_us(result.end_time_us());
  consent.set_source(records::v1::CONSENT_SOURCE_POST_RESPONSE);
  return consent;
}

// Why an attempt that could be retried is not.
std::string ReasonNotRetried(const records::v1::WorkRecord& work) {
  return NameOf(work.retry_budget().attempts_used() >= work.retry_budget().attempts_max()
                    ? ErrorCode::kRetriesExhausted
                    : ErrorCode::kExpired);
}

// The reason of a failed attempt that is not retried.
std::string FinalReason(const records::v1::WorkRecord& work,
                        const records::v1::AttemptResult& result, const RetryPolicy& policy) {
  if (!RetryRuleFor(result, policy)) return NameOf(ErrorCode::kTwilioApiError);
  return ReasonNotRetried(work);
}

// A failed attempt, and the next attempt or a dead letter.
FollowUp Failed(const records::v1::WorkRecord& work, const records::v1::AttemptResult& result,
                v1::AttemptStatus status, const std::string& reason,
                std::optional<records::v1::WorkRecord> next_work) {
  FollowUp follow_up;
  records::v1::Event event = Changed(work, result, status, reason);
  records::v1::AttemptChanged& changed = *event.mutable_attempt_changed();
  changed.set_last(!next_work);
  if (next_work) {
    // Copies of an attempt may differ in their retry budgets and therefore in their next attempts:
    // one follows from a result in the log, another from a result in the store.
    event.set_event_id(EventId(work.attempt(), SeedOf(result, status) + "/next/" +
                                                   std::to_string(next_work->due_time_us())));
    changed.set_next_due_time_us(next_work->due_time_us());
    changed.set_next_attempt(next_work->attempt().attempt());
  } else {
    follow_up.dead = Dead(work, result, reason);
  }
  follow_up.next_work = std::move(next_work);
  follow_up.events.push_back(std::move(event));
  return follow_up;
}

FollowUp DecideFailure(const records::v1::WorkRecord& work,
                       const records::v1::AttemptResult& result, const RetryPolicy& policy) {
  std::optional<records::v1::WorkRecord> next_work = RetryOf(work, result, policy);
  std::string reason = !next_work                ? FinalReason(work, result, policy)
                       : result.reason().empty() ? NameOf(ErrorCode::kTwilioApiError)
                                                 : result.reason();
  return Failed(work, result, v1::ATTEMPT_STATUS_FAILED, reason, std::move(next_work));
}

// There is no proof of acceptance. Resending may reach the recipient twice, so it is recorded.
FollowUp DecideUnresolved(const records::v1::WorkRecord& work,
                          const records::v1::AttemptResult& result) {
  std::optional<records::v1::WorkRecord> next_work;
  if (Resends(work)) next_work = NextAttempt(work, /*uses_budget=*/true, result.end_time_us());
  const bool resends = next_work.has_value();
  FollowUp follow_up = Failed(work, result, v1::ATTEMPT_STATUS_FAILED, NameOf(ErrorCode::kInDoubt),
                              std::move(next_work));
  if (resends)
    follow_up.events.back().mutable_attempt_changed()->mutable_note()->append(
        "; resent although the recipient may have received it");
  return follow_up;
}

// The list proves that Twilio never received it. Sending again cannot reach the recipient twice.
FollowUp DecideAbsent(const records::v1::WorkRecord& work,
                      const records::v1::AttemptResult& result) {
  std::optional<records::v1::WorkRecord> next_work =
      NextAttempt(work, /*uses_budget=*/false, result.end_time_us());
  const char* const consequence =
      next_work ? "; sending again" : "; expires before another attempt";
  FollowUp follow_up = Failed(work, result, v1::ATTEMPT_STATUS_FAILED,
                              NameOf(ErrorCode::kNotReceived), std::move(next_work));
  follow_up.events.back().mutable_attempt_changed()->mutable_note()->append(consequence);
  return follow_up;
}

// A call that reached nobody, or a machine, which has heard the alert.
FollowUp DecideUnreached(const records::v1::WorkRecord& work,
                         const records::v1::AttemptResult& result, v1::AttemptStatus outcome,
                         const CallRetryPolicy& policy) {
  std::optional<records::v1::WorkRecord> next =
      NextCall(work, outcome, FromUnixMicros(result.end_time_us()), policy);
  std::string reason;
  if (!next)
    reason =
        NameOf(CallsExhausted(work, policy) ? ErrorCode::kRetriesExhausted : ErrorCode::kExpired);
  FollowUp follow_up = Failed(work, result, outcome, reason, std::move(next));
  if (outcome == v1::ATTEMPT_STATUS_ANSWERED_MACHINE) follow_up.dead.reset();
  return follow_up;
}

// What the store needs to know of the plan. The first event of each attempt contains it.
void SetPlan(const records::v1::WorkRecord& work, records::v1::AttemptChanged& changed) {
  const std::optional<PlanCondition> plan = PlanConditionOf(work);
  if (!plan) return;
  changed.set_person(plan->person);
  changed.set_person_count(plan->person_count);
  changed.set_goal(plan->goal);
}

FollowUp DecideFinal(const records::v1::WorkRecord& work, const records::v1::AttemptResult& result,
                     v1::AttemptStatus status, std::string reason) {
  FollowUp follow_up;
  records::v1::Event event = Changed(work, result, status, std::move(reason));
  event.mutable_attempt_changed()->set_last(true);
  follow_up.events.push_back(std::move(event));
  return follow_up;
}

// What follows from a failure that a callback reports and that may be retried.
FollowUp DecideRetry(const records::v1::WorkRecord& work,
                     const records::v1::WebhookRecord& callback,
                     const records::v1::AttemptResult& result, const RetryPolicy& policy) {
  const AlertEvent alert_event = *AlertEventOf(callback);
  if (const auto outcome = UnreachedBy(alert_event))
    return DecideUnreached(work, result, *outcome, policy.calls);
  const Micros wait =
      BackoffDelay(policy.delivery, std::max(work.retry_budget().attempts_used(), 1),
                   AttemptText(work.attempt()) + ":delivery", Micros(0));
  std::optional<records::v1::WorkRecord> next =
      NextAttempt(work, /*uses_budget=*/true, callback.receive_time_us() + wait.count());
  return Failed(work, result, alert_event.status,
                next ? NameOf(ErrorCode::kTwilioApiError) : ReasonNotRetried(work),
                std::move(next));
}

// What follows in the plan when the target has failed.
void AddPlan(const records::v1::WorkRecord& work, WallTime failed, FollowUp& follow_up) {
  if (!work.has_plan()) return;
  follow_up.target_failed = true;
  for (records::v1::WorkRecord& next : RecordsAfterFailure(work, failed))
    follow_up.plan_work.push_back(std::move(next));
}

FollowUp DecideAttempt(const records::v1::WorkRecord& work,
                       const records::v1::AttemptResult& result, const RetryPolicy& policy,
                       std::string_view sender_address) {
  switch (result.outcome()) {
    case records::v1::ATTEMPT_OUTCOME_ACCEPTED: {
      FollowUp follow_up;
      follow_up.events.push_back(Changed(work, result, v1::ATTEMPT_STATUS_SENT, {}));
      return follow_up;
    }
    case records::v1::ATTEMPT_OUTCOME_UNRESOLVED:
      return result.resolved_by() == v1::RESOLVED_BY_LIST_ABSENCE ? DecideAbsent(work, result)
                                                                  : DecideUnresolved(work, result);
    case records::v1::ATTEMPT_OUTCOME_NOT_ATTEMPTED: {
      FollowUp follow_up = DecideFinal(work, result, result.status(), result.reason());
      SetPlan(work, *follow_up.events.back().mutable_attempt_changed());
      return follow_up;
    }
    case records::v1::ATTEMPT_OUTCOME_IN_DOUBT: {
      FollowUp follow_up;
      follow_up.events.push_back(
          Changed(work, result, v1::ATTEMPT_STATUS_IN_DOUBT, result.reason()));
      follow_up.next_work = FirstLookup(work, result, policy.in_doubt);
      return follow_up;
    }
    case records::v1::ATTEMPT_OUTCOME_REFUSED:
      if (result.error_class() == records::v1::PROVIDER_ERROR_CLASS_OPT_OUT) {
        FollowUp follow_up =
            DecideFinal(work, result, v1::ATTEMPT_STATUS_SUPPRESSED, NameOf(ErrorCode::kOptedOut));
        follow_up.consent = OptOut(work, result, sender_address);
        return follow_up;
      }
      break;
    default: break;
  }
  return DecideFailure(work, result, policy);
}

}  // namespace

FollowUp Decide(const records::v1::WorkRecord& work, const records::v1::AttemptResult& result,
                const RetryPolicy& policy, std::string_view sender_address) {
  FollowUp follow_up = DecideAttempt(work, result, policy, sender_address);
  if (follow_up.next_work || result.outcome() == records::v1::ATTEMPT_OUTCOME_ACCEPTED)
    return follow_up;
  const WallTime end = FromUnixMicros(result.end_time_us());
  // An attempt that was started has published these before.
  if (result.outcome() == records::v1::ATTEMPT_OUTCOME_NOT_ATTEMPTED)
    follow_up.plan_work = RecordsOfStep(work, end);
  AddPlan(work, end, follow_up);
  return follow_up;
}

bool IsRetryable(const records::v1::WebhookRecord& callback) {
  const std::optional<AlertEvent> alert_event = AlertEventOf(callback);
  if (!alert_event) return false;
  if (UnreachedBy(*alert_event)) return true;
  if (alert_event->status != v1::ATTEMPT_STATUS_UNDELIVERED &&
      alert_event->status != v1::ATTEMPT_STATUS_FAILED)
    return false;
  const records::v1::ProviderErrorClass error_class = callback.error_class();
  return error_class == records::v1::PROVIDER_ERROR_CLASS_TRANSIENT_DELIVERY ||
         error_class == records::v1::PROVIDER_ERROR_CLASS_RATE_LIMIT_AFTER;
}

bool IsPersonTakenForMachine(const records::v1::AttemptResult& stored,
                             const records::v1::WebhookRecord& callback) {
  return WasAnsweredByPerson(stored) && callback.answered_by() == v1::ANSWERED_BY_MACHINE;
}

FollowUp DecideAfterUndelivered(const records::v1::WorkRecord& work,
                                const records::v1::WebhookRecord& callback,
                                const RetryPolicy& policy) {
  records::v1::AttemptResult result = ProvenByCallback(callback);
  result.clear_resolved_by();
  result.set_provider_code(callback.provider_code());
  result.set_segment_count(callback.segment_count());
  result.set_sender_id(work.sender_id());
  FollowUp follow_up = DecideRetry(work, callback, result, policy);
  if (!follow_up.next_work) AddPlan(work, FromUnixMicros(callback.receive_time_us()), follow_up);
  return follow_up;
}

FollowUp DecideAfterLastCallback(const records::v1::WorkRecord& work,
                                 const records::v1::WebhookRecord& callback) {
  FollowUp follow_up;
  const v1::Reach goal = work.plan().goal().reach();
  if (goal == v1::REACH_HUMAN && WasAnsweredByPerson(ProvenByCallback(callback))) return follow_up;
  if (CannotReachGoal(callback.status(), work.channel(), goal))
    AddPlan(work, FromUnixMicros(callback.receive_time_us()), follow_up);
  return follow_up;
}

records::v1::Event AttemptStarted(const records::v1::WorkRecord& work, std::int64_t begin_time_us,
                                  std::int64_t lease_expire_time_us, std::string_view sender_id,
                                  std::string_view account_sid) {
  records::v1::Event event =
      EventOf(work, "started/" + std::to_string(lease_expire_time_us), begin_time_us);
  records::v1::AttemptChanged& changed = *event.mutable_attempt_changed();
  changed.set_status(v1::ATTEMPT_STATUS_SENDING);
  changed.set_sender_id(std::string(sender_id));
  changed.set_account_sid(std::string(account_sid));
  changed.set_segment_count(work.segment_count());
  changed.set_lease_expire_time_us(lease_expire_time_us);
  changed.set_ack_code(work.ack_code());
  SetPlan(work, changed);
  return event;
}

}  // namespace tocsin
