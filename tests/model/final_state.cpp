#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/domain/alert/ids.h"
#include "common/domain/delivery/call_retry.h"
#include "tests/model/checker.h"

// The checks of the final state.
namespace tocsin::model {
namespace {

// Of the attempts of a step.
struct StepCounts {
  unsigned accepted = 0;
  unsigned excused = 0;  // another one may follow them
  std::int32_t certain_calls = 0;
};

bool Same(const ProjectedAlert& a, const ProjectedAlert& b) {
  const auto same_attempt = [](const AttemptProjection& x, const AttemptProjection& y) {
    return x.status() == y.status() && x.reason() == y.reason() &&
           x.provider_sid() == y.provider_sid() && x.status_since() == y.status_since() &&
           x.provider_code() == y.provider_code() && x.last() == y.last() &&
           x.next_attempt() == y.next_attempt();
  };
  return a.state == b.state && a.reason == b.reason && a.ended == b.ended &&
         a.updated == b.updated && std::ranges::equal(a.attempts, b.attempts, same_attempt);
}

v1::AttemptRef RefOf(const std::string& alert_id, const AttemptProjection& projection) {
  v1::AttemptRef ref;
  ref.set_alert_id(alert_id);
  ref.set_step(projection.step());
  ref.set_attempt(projection.attempt());
  return ref;
}

bool WasAnswered(v1::AttemptStatus end) {
  return end == v1::ATTEMPT_STATUS_DELIVERED || end == v1::ATTEMPT_STATUS_ANSWERED_HUMAN ||
         end == v1::ATTEMPT_STATUS_ANSWERED_MACHINE;
}

}  // namespace

void Checker::CheckFinalState(const std::deque<Subscription>& subscriptions, Dice& dice) {
  for (const Subscription& subscription : subscriptions)
    if (subscription.committed != static_cast<std::int64_t>(subscription.partition.records.size()))
      Violate(subscription.place.first + " has unfinished records at the end");
  for (const auto& [key, attempt] : attempts_) CheckAttempt(attempt);
  for (auto& [alert_id, alert] : alerts_) CheckAlert(alert_id, alert, dice);
}

void Checker::CheckAttempt(const AttemptTruth& attempt) {
  if (attempt.accepted > 0 && !attempt.known && !attempt.was_in_doubt)
    Violate(AttemptText(attempt.ref) + " was accepted, but no record shows it");
  if (attempt.accepted > 0 && attempt.not_received)
    Violate(AttemptText(attempt.ref) + " was accepted, but counts as never received");
  // A worker that is killed without the store may leave the last event of an attempt in the log,
  // but not its dead letter. Then the attempt is in doubt, and another one may follow it after all;
  // or a mark that was stored meanwhile ends it, and its alert.
  v1::AttemptRef next = attempt.ref;
  next.set_attempt(attempt.ref.attempt() + 1);
  const auto followed = attempts_.find(AttemptText(next));
  const bool resumed =
      attempt.was_in_doubt && followed != attempts_.end() && followed->second.started;
  const bool ended_by_mark = attempt.unpersisted && attempt.stopped;
  if (attempt.given_up && !attempt.dead && !resumed && !ended_by_mark)
    Violate(AttemptText(attempt.ref) + " failed finally without a dead letter");
}

// Resolved by a duplicate's list entry, until a callback moved that entry to the duplicate.
bool Checker::LostItsSid(const std::string& alert_id, const ProjectedAlert& projected) {
  return std::ranges::any_of(projected.attempts, [&](const AttemptProjection& projection) {
    const AttemptTruth& attempt = Of(RefOf(alert_id, projection));
    return attempt.was_in_doubt && attempt.accepted == 0 && !projection.provider_sid().empty();
  });
}

void Checker::CheckAlert(const std::string& alert_id, AlertTruth& alert, Dice& dice) {
  std::vector<AlertEvent> alert_events;
  for (const auto& [id, alert_event] : alert.alert_events) alert_events.push_back(alert_event);
  const ProjectedAlert projected = ProjectAlert(true, alert_events, plans.TermsOf(alert_id));
  CompareProjections(alert_id, projected, std::move(alert_events), dice);
  const bool waits =
      projected.state == v1::ALERT_STATE_SENT &&
      (alert.silent || LostItsSid(alert_id, projected));  // reconciliation would end it
  if (!IsEnd(projected.state) && !waits)
    Violate(alert_id + " is not final: " + v1::AlertState_Name(projected.state));
  CheckOutcome(alert_id, alert, projected);
  plans.Check(alert_id, projected, alert.cancel_time);
  std::map<std::int32_t, StepCounts> steps;
  for (const AttemptProjection& projection : projected.attempts) {
    const AttemptTruth& attempt = Of(RefOf(alert_id, projection));
    StepCounts& step = steps[projection.step()];
    step.accepted += attempt.accepted;
    step.excused += attempt.accepted > 0 &&
                    ((attempt.was_in_doubt && !attempt.not_received) || attempt.undelivered);
    step.certain_calls += attempt.call && !attempt.was_in_doubt ? 1 : 0;
    CheckCall(attempt, projection);
  }
  for (const auto& [number, step] : steps) {
    const std::string name = fmt::format("{}.{}", alert_id, number);
    if (step.accepted > 0 && alert.cancelled)
      Violate(name + " was sent, but its alert was reported as cancelled");
    if (step.certain_calls > CallRetryPolicy().max_calls)
      Violate(fmt::format("{} was called {} times", name, step.certain_calls));
    if (step.accepted > 1 + step.excused)
      Violate(name + " was sent twice without an IN_DOUBT event");
  }
}

// Compares the final state with the reports of provider and client.
void Checker::CheckOutcome(const std::string& alert_id, const AlertTruth& alert,
                           const ProjectedAlert& projected) {
  const std::string ended = ", but ended as " + v1::AlertState_Name(projected.state);
  const bool acknowledged = projected.state == v1::ALERT_STATE_ACKNOWLEDGED;
  const bool delivered = projected.state == v1::ALERT_STATE_DELIVERED;
  const bool has_plan = plans.Has(alert_id);
  if (alert.acknowledged && !acknowledged && !has_plan)
    Violate(alert_id + " was acknowledged" + ended);
  if (acknowledged && !alert.acknowledgement_requested)
    Violate(alert_id + " was never acknowledged" + ended);
  if (alert.delivered && !delivered && !acknowledged &&
      plans.TermsOf(alert_id).goal == v1::REACH_DELIVERED)
    Violate(alert_id + " was delivered" + ended);
  const bool reached = std::ranges::any_of(projected.attempts, [&](const auto& projection) {
    const AttemptTruth& attempt = Of(RefOf(alert_id, projection));
    return attempt.accepted > 0 &&
           (!attempt.call || (attempt.call->end && WasAnswered(*attempt.call->end)));
  });
  const bool stopped = std::ranges::any_of(projected.attempts, [](const auto& projection) {
    return projection.status() == v1::ATTEMPT_STATUS_CANCELLED;
  });
  // A plan that has ended stops its other attempts.
  if (alert.ended_at_cancel && projected.state == v1::ALERT_STATE_CANCELLED)
    Violate(alert_id + " had ended when it was cancelled" + ended);
  if (alert.ended_at_cancel && stopped && !acknowledged && !has_plan)
    Violate(alert_id + " had ended when it was cancelled, but an attempt was still stopped");
  if (delivered && !reached) Violate(alert_id + " reached nobody" + ended);
  if (IsEnd(projected.state) && !delivered && !acknowledged && projected.reason.empty())
    Violate(alert_id + " ended without a reason");
}

// Compares the status of a call with its last callback and the pressed keys.
void Checker::CheckCall(const AttemptTruth& attempt, const AttemptProjection& projection) {
  if (!attempt.call || !attempt.call->reported) return;
  const CallTruth& call = *attempt.call;
  const bool answered = WasAnswered(*call.end);
  const v1::AttemptStatus status = projection.status();
  if (answered && call.key_pressed && status == v1::ATTEMPT_STATUS_ANSWERED_HUMAN) return;
  const v1::AttemptStatus expected =
      answered && call.key_confirmed ? v1::ATTEMPT_STATUS_ANSWERED_HUMAN : *call.end;
  if (status != expected)
    Violate(AttemptText(attempt.ref) + " ended as " + v1::AttemptStatus_Name(expected) +
            ", but counts as " + v1::AttemptStatus_Name(status));
}

void Checker::CompareProjections(const std::string& alert_id, const ProjectedAlert& projected,
                                 std::vector<AlertEvent> alert_events, Dice& dice) {
  const size_t count = alert_events.size();
  for (size_t i = 0; i < count; ++i) {
    std::swap(alert_events[i], alert_events[dice.Below(count)]);
    if (dice.Chance(0.3)) alert_events.push_back(alert_events[i]);
  }
  if (!Same(projected, ProjectAlert(true, alert_events, plans.TermsOf(alert_id))))
    Violate(alert_id + " projects to another state in another order");
}

}  // namespace tocsin::model
