#include "tests/model/plan_checker.h"

#include <algorithm>
#include <utility>

#include "common/domain/alert/ids.h"
#include "common/domain/delivery/in_doubt.h"
#include "common/domain/delivery/log_claim.h"

namespace tocsin::model {
namespace {

bool IsAcknowledged(v1::AlertState state) { return state == v1::ALERT_STATE_ACKNOWLEDGED; }

}  // namespace

PlanCounts& PlanCounts::operator+=(const PlanCounts& other) {
  plans += other.plans;
  acknowledged += other.acknowledged;
  missed += other.missed;
  declined += other.declined;
  calls_ended += other.calls_ended;
  by_log += other.by_log;
  early_steps += other.early_steps;
  return *this;
}

void PlanChecker::Enqueued(const records::v1::WorkRecord& work) {
  if (!work.has_plan()) return;
  ++counts.plans;
  Plan& plan = plans_[work.attempt().alert_id()];
  plan.emergency = work.priority() == v1::PRIORITY_EMERGENCY;
  *plan.terms.mutable_goal() = work.plan().goal();
  for (const records::v1::PlannedTarget& target : work.plan().targets()) {
    records::v1::PlannedTarget& terms = *plan.terms.add_targets();
    terms.set_plan_step(target.plan_step());
    terms.set_wait_us(target.wait_us());
    terms.set_person(target.person());
  }
}

PlanChecker::Plan* PlanChecker::Find(const std::string& alert_id) {
  const auto found = plans_.find(alert_id);
  return found == plans_.end() ? nullptr : &found->second;
}

PlanTerms PlanChecker::TermsOf(const std::string& alert_id) const {
  const auto found = plans_.find(alert_id);
  return found == plans_.end() ? PlanTerms() : tocsin::TermsOf(found->second.terms);
}

std::string PlanChecker::PersonOf(const v1::AttemptRef& ref) const {
  const auto found = plans_.find(ref.alert_id());
  return found == plans_.end() ? std::string() : TermsOf(found->second, ref.step()).person();
}

std::size_t PlanChecker::Needed(const Plan& plan) {
  return static_cast<std::size_t>(std::max(plan.terms.goal().person_count(), 1));
}

bool PlanChecker::IsReached(const Plan& plan) {
  const v1::Reach goal = plan.terms.goal().reach();
  return plan.store.acknowledged.size() >= Needed(plan) ||
         (goal != v1::REACH_ACKNOWLEDGED && plan.reach >= goal);
}

std::string PlanChecker::StopReason(const Plan& plan, const Known& known,
                                    const std::string& person) {
  if (known.missed) return "the goal was missed";
  if (known.acknowledged.size() >= Needed(plan)) return "enough persons acknowledged";
  if (known.acknowledged.contains(person)) return person + " acknowledged";
  if (known.declined.contains(person)) return person + " declined";
  return {};
}

// --- Store --------------------------------------------------------------------------------------

void PlanChecker::Granted(const v1::AttemptRef& ref) {
  Plan* const plan = Find(ref.alert_id());
  if (plan == nullptr) return;
  const std::string reason = StopReason(*plan, plan->store, TermsOf(*plan, ref.step()).person());
  if (!reason.empty())
    violate_(AttemptText(ref) + " is granted after " + reason);
  else if (IsReached(*plan))
    violate_(AttemptText(ref) + " is granted after the goal was reached");
  CheckStep(*plan, ref);
  Target& target = plan->targets[ref.step()];
  target.by_store.insert(AttemptText(ref));
  if (ref.attempt() == 1)
    target.begin = std::min(target.begin.value_or(clock_.Now()), clock_.Now());
}

// A step starts its wait after the first start of the step before, or when all targets of that have
// failed.
void PlanChecker::CheckStep(Plan& plan, const v1::AttemptRef& ref) {
  const records::v1::PlannedTarget& terms = TermsOf(plan, ref.step());
  if (ref.attempt() != 1 || terms.plan_step() == 1) return;
  std::optional<WallTime> begin;
  bool all_failed = true;
  for (std::int32_t number = 1; number <= plan.terms.targets_size(); ++number) {
    if (TermsOf(plan, number).plan_step() != terms.plan_step() - 1) continue;
    const Target& before = plan.targets[number];
    all_failed = all_failed && before.failed;
    if (before.begin) begin = std::min(begin.value_or(*before.begin), *before.begin);
  }
  const bool in_time = begin && clock_.Now() >= *begin + Micros(terms.wait_us());
  if (!in_time && all_failed) ++counts.early_steps;
  if (!in_time && !all_failed) violate_(AttemptText(ref) + " is granted before its step may start");
}

void PlanChecker::NotAttempted(const v1::AttemptRef& ref) {
  if (Plan* const plan = Find(ref.alert_id()); plan != nullptr && ref.attempt() == 1)
    plan->targets[ref.step()].failed = true;
}

void PlanChecker::TargetFailed(const v1::AttemptRef& ref) {
  if (Plan* const plan = Find(ref.alert_id())) plan->targets[ref.step()].failed = true;
}

void PlanChecker::CallbackNotSaved(const v1::AttemptRef& ref) {
  Plan* const plan = Find(ref.alert_id());
  if (plan == nullptr || !plan->emergency) return;
  std::optional<std::int32_t>& first = plan->targets[ref.step()].not_saved;
  first = std::min(first.value_or(ref.attempt()), ref.attempt());
}

void PlanChecker::Marked(const std::string& alert_id, const KnownMark& mark) {
  Plan* const plan = Find(alert_id);
  if (plan == nullptr) return;
  std::string person = mark.person;
  if (person.empty() && mark.step > 0) person = TermsOf(*plan, mark.step).person();
  if (person.empty()) person = mark.actor_id;
  switch (mark.kind) {
    case KnownMark::Kind::kCancelled: plan->store.cancelled = true; return;
    case KnownMark::Kind::kGoalMissed: plan->store.missed = true; return;
    case KnownMark::Kind::kAcknowledged: plan->store.acknowledged.insert(person); return;
    case KnownMark::Kind::kDeclined:
      counts.declined += plan->store.declined.insert(person).second ? 1 : 0;
      for (std::int32_t number = 1; number <= plan->terms.targets_size(); ++number)
        if (TermsOf(*plan, number).person() == person) plan->targets[number].failed = true;
  }
}

void PlanChecker::Reached(const std::string& alert_id, const records::v1::AttemptResult& result) {
  Plan* const plan = Find(alert_id);
  if (plan == nullptr || result.outcome() != records::v1::ATTEMPT_OUTCOME_ACCEPTED) return;
  if (WasAnsweredByPerson(result)) plan->reach = std::max(plan->reach, v1::REACH_HUMAN);
  if (result.status() == v1::ATTEMPT_STATUS_DELIVERED)
    plan->reach = std::max(plan->reach, v1::REACH_DELIVERED);
}

// The record of the deadline may be processed several times.
void PlanChecker::Ended(const std::string& alert_id, PlanEnd::State state) {
  Plan* const plan = Find(alert_id);
  if (plan == nullptr) return;
  const bool reached = state == PlanEnd::State::kGoalReached;
  const bool missed = state == PlanEnd::State::kGoalMissed;
  if (clock_.Now() < FromUnixMicros(plan->terms.goal().deadline_us()))
    violate_(alert_id + " ends before its deadline");
  if (plan->end && (*plan->end == PlanEnd::State::kGoalMissed) != missed)
    violate_(alert_id + " has missed its goal and has not");
  if (missed && !plan->store.missed && IsReached(*plan))
    violate_(alert_id + " has reached its goal, but counts as missed");
  if (reached && !IsReached(*plan))
    violate_(alert_id + " has not reached its goal, but counts as reached");
  plan->store.missed = plan->store.missed || missed;
  if (plan->end) return;
  plan->end = state;
  plan->acknowledged_at_end = plan->store.acknowledged.size() >= Needed(*plan);
}

// --- Log ----------------------------------------------------------------------------------------

void PlanChecker::Appended(const records::v1::Event& event) {
  Plan* const plan = Find(event.attempt().alert_id());
  if (plan == nullptr) return;
  if (event.has_acknowledged()) {
    const records::v1::Acknowledged& acknowledged = event.acknowledged();
    plan->log.acknowledged.insert(acknowledged.person().empty() ? acknowledged.actor_id()
                                                                : acknowledged.person());
  }
  if (event.has_declined()) plan->log.declined.insert(event.declined().person());
  if (event.has_goal_missed()) plan->log.missed = true;
  if (event.attempt_changed().status() == v1::ATTEMPT_STATUS_SENDING) ReadStart(*plan, event);
}

// The first start of an attempt decides, whether the store or the log granted it: its POST may
// follow.
void PlanChecker::ReadStart(Plan& plan, const records::v1::Event& event) {
  Target& target = plan.targets[event.attempt().step()];
  const WallTime begin = FromUnixMicros(event.time_us());
  if (event.attempt().attempt() == 1) target.begin = std::min(target.begin.value_or(begin), begin);
  if (event.attempt_changed().note() != kStartedByLog) return;
  const std::string attempt = AttemptText(event.attempt());
  if (!target.by_log.insert(attempt).second || target.by_store.contains(attempt)) return;
  ++counts.by_log;
  const std::string& person = TermsOf(plan, event.attempt().step()).person();
  if (!StopReason(plan, plan.log, person).empty()) target.stopped.insert(attempt);
}

// --- Persons, client and provider ---------------------------------------------------------------

void PlanChecker::AcknowledgementRequested(const std::string& alert_id, const std::string& person) {
  if (Plan* const plan = Find(alert_id)) plan->requested.insert(person);
}

// A cancelled alert is not marked. If another person has acknowledged it, the response reports it
// as already acknowledged.
void PlanChecker::Acknowledged(const std::string& alert_id, const std::string& person,
                               bool stored) {
  Plan* const plan = Find(alert_id);
  if (plan == nullptr) return;
  plan->confirmed.insert(person);
  if (plan->store.cancelled) return;
  if (!plan->log.acknowledged.contains(person) && !plan->store.acknowledged.contains(person))
    violate_(alert_id + ": the acknowledgement by " + person + " is confirmed, but not known");
  if (stored && !plan->store.acknowledged.contains(person))
    violate_(alert_id + ": the acknowledgement by " + person + " is confirmed, but not stored");
}

void PlanChecker::PostStarted(const v1::AttemptRef& ref, bool in_doubt) {
  Plan* const plan = Find(ref.alert_id());
  if (plan == nullptr) return;
  const Target& target = plan->targets[ref.step()];
  const std::int64_t deadline_us = plan->terms.goal().deadline_us();
  if (deadline_us != 0 && clock_.Now() >= FromUnixMicros(deadline_us))
    violate_(AttemptText(ref) + " is POSTed after the deadline");
  if (target.stopped.contains(AttemptText(ref)))
    violate_(AttemptText(ref) + " is POSTed although the log stopped it before its start");
  // A stop that is only in the store does not stop an emergency that is claimed by the log.
  const bool by_log_alone =
      target.by_log.contains(AttemptText(ref)) && !target.by_store.contains(AttemptText(ref));
  // An emergency is repeated without the store.
  const bool repeated_by_log = target.not_saved && *target.not_saved < ref.attempt();
  if (target.failed && !in_doubt && !by_log_alone && !repeated_by_log &&
      !plan->store.declined.contains(PersonOf(ref)))
    violate_(AttemptText(ref) + " is POSTed after its target had failed");
}

void PlanChecker::PersonAnswered(const v1::AttemptRef& ref) {
  if (Plan* const plan = Find(ref.alert_id())) plan->person_answered = true;
}

void PlanChecker::CallEndRequested(const v1::AttemptRef& ref) {
  Plan* const plan = Find(ref.alert_id());
  if (plan == nullptr) return violate_(AttemptText(ref) + " is ended without a plan");
  ++counts.calls_ended;
  const std::string person = PersonOf(ref);
  if (!IsReached(*plan) && !plan->store.acknowledged.contains(person) &&
      !plan->store.declined.contains(person))
    violate_(AttemptText(ref) + " is ended, but the plan needs this call");
}

// --- Final state --------------------------------------------------------------------------------

void PlanChecker::Check(const std::string& alert_id, const ProjectedAlert& projected,
                        const std::optional<WallTime>& cancelled) {
  Plan* const plan = Find(alert_id);
  if (plan == nullptr) return;
  std::set<std::int32_t> known;
  for (const AttemptProjection& attempt : projected.attempts) known.insert(attempt.step());
  for (std::int32_t number = 1; number <= plan->terms.targets_size(); ++number)
    if (!known.contains(number))
      violate_(alert_id + ": target " + std::to_string(number) + " has no event");
  CheckAcknowledged(alert_id, *plan, projected.state);
  CheckEnd(alert_id, *plan, projected.state);
  const std::int64_t deadline_us = plan->terms.goal().deadline_us();
  const bool in_time = deadline_us == 0 || (cancelled && *cancelled < FromUnixMicros(deadline_us));
  // A cancellation that is too late during a POST may be confirmed later, when nothing was sent.
  // Persons who acknowledge between the two count.
  if (cancelled && in_time && projected.state != v1::ALERT_STATE_CANCELLED &&
      !IsAcknowledged(projected.state))
    violate_(alert_id + " was cancelled, but ended as " + v1::AlertState_Name(projected.state));
}

// Before the deadline, the acknowledgements in the store count. Between the deadline and its record
// both ends are correct.
void PlanChecker::CheckAcknowledged(const std::string& alert_id, const Plan& plan,
                                    v1::AlertState state) {
  const std::string ended = ", but it ended as " + v1::AlertState_Name(state);
  counts.acknowledged += IsAcknowledged(state) ? 1 : 0;
  if (IsAcknowledged(state) && plan.requested.size() < Needed(plan))
    violate_(alert_id + ": too few persons acknowledged" + ended);
  if (plan.acknowledged_at_end && !IsAcknowledged(state))
    violate_(alert_id + ": enough persons acknowledged" + ended);
  const bool has_deadline = plan.terms.goal().deadline_us() != 0;
  if (!has_deadline && plan.confirmed.size() >= Needed(plan) && !IsAcknowledged(state))
    violate_(alert_id + ": enough acknowledgements were confirmed" + ended);
}

void PlanChecker::CheckEnd(const std::string& alert_id, const Plan& plan, v1::AlertState state) {
  const std::string ended = ", but it ended as " + v1::AlertState_Name(state);
  const bool not_acknowledged = state == v1::ALERT_STATE_NOT_ACKNOWLEDGED;
  const v1::Reach goal = plan.terms.goal().reach();
  counts.missed += not_acknowledged ? 1 : 0;
  if (plan.terms.goal().deadline_us() != 0 && !plan.end)
    violate_(alert_id + " does not end at its deadline");
  if (plan.end == PlanEnd::State::kGoalMissed && !not_acknowledged)
    violate_(alert_id + " has missed its goal" + ended);
  if (plan.end.value_or(PlanEnd::State::kGoalReached) == PlanEnd::State::kGoalReached &&
      not_acknowledged)
    violate_(alert_id + " has not missed its goal" + ended);
  const bool delivered = state == v1::ALERT_STATE_DELIVERED;
  if (delivered &&
      (goal == v1::REACH_ACKNOWLEDGED || (goal == v1::REACH_HUMAN && !plan.person_answered)))
    violate_(alert_id + " has not reached its goal" + ended);
}

}  // namespace tocsin::model
