#include "common/domain/plan/plan.h"

#include "common/domain/alert/alert_projection.h"
#include "common/domain/alert/event_of_alert.h"

namespace tocsin {
namespace {

const records::v1::PlannedTarget& TargetOf(const records::v1::WorkRecord& work) {
  return work.plan().targets(work.attempt().step() - 1);
}

bool HasTarget(const records::v1::WorkRecord& work) {
  return work.attempt().step() >= 1 && work.attempt().step() <= work.plan().targets_size();
}

// AttemptRef.step of the targets of a step of the plan.
std::vector<std::int32_t> TargetsOf(const records::v1::Plan& plan, std::int32_t plan_step) {
  std::vector<std::int32_t> targets;
  for (int i = 0; i < plan.targets_size(); ++i)
    if (plan.targets(i).plan_step() == plan_step) targets.push_back(i + 1);
  return targets;
}

// What is not needed any more after the target with this number.
void RemoveContents(std::int32_t up_to, records::v1::Plan& plan) {
  for (int i = 0; i < up_to; ++i) {
    records::v1::PlannedTarget& target = *plan.mutable_targets(i);
    target.clear_recipient();
    target.clear_content();
    target.clear_key();
    target.clear_body_digest();
    target.clear_segment_count();
    target.clear_sender_id();
    target.clear_voice();
    target.clear_ack_code();
  }
}

// What all targets of an alert have in common.
records::v1::WorkRecord CommonPart(const records::v1::WorkRecord& work) {
  records::v1::WorkRecord common;
  common.mutable_attempt()->set_alert_id(work.attempt().alert_id());
  common.set_client_id(work.client_id());
  common.set_priority(work.priority());
  common.set_create_time_us(work.create_time_us());
  // A step before it may fail at once, such as by an opt-out.
  common.set_send_time_us(work.send_time_us());
  common.set_expire_time_us(work.expire_time_us());
  *common.mutable_labels() = work.labels();
  common.set_in_doubt_policy(work.in_doubt_policy());
  common.mutable_retry_budget()->set_attempts_max(work.retry_budget().attempts_max());
  *common.mutable_plan() = work.plan();
  return common;
}

// The first attempt of the target with this number.
records::v1::WorkRecord FirstAttempt(const records::v1::WorkRecord& work, std::int32_t number,
                                     WallTime due) {
  const records::v1::PlannedTarget& target = work.plan().targets(number - 1);
  records::v1::WorkRecord first = CommonPart(work);
  first.mutable_attempt()->set_step(number);
  first.mutable_attempt()->set_attempt(1);
  first.set_kind(records::v1::WORK_KIND_ATTEMPT);
  first.set_channel(target.channel());
  first.set_due_time_us(ToUnixMicros(due));
  first.set_first_publish_time_us(work.first_publish_time_us());
  *first.mutable_recipient() = target.recipient();
  *first.mutable_content() = target.content();
  *first.mutable_key() = target.key();
  first.set_body_digest(target.body_digest());
  first.set_segment_count(target.segment_count());
  first.set_sender_id(target.sender_id());
  first.mutable_retry_budget()->set_attempts_used(1);
  if (target.channel() == v1::CHANNEL_VOICE) {
    *first.mutable_voice() = target.voice();
    first.mutable_retry_budget()->set_calls_placed(1);
  }
  first.set_ack_code(target.ack_code());
  RemoveContents(number, *first.mutable_plan());
  return first;
}

// Whether this is the first attempt of the first target of a step.
bool BeginsStep(const records::v1::WorkRecord& work) {
  return HasTarget(work) && work.attempt().attempt() == 1 &&
         TargetsOf(work.plan(), TargetOf(work).plan_step()).front() == work.attempt().step();
}

// On the first target's channel, so that every repetition goes to the same lane.
records::v1::WorkRecord DeadlineRecord(const records::v1::WorkRecord& work) {
  records::v1::WorkRecord deadline = CommonPart(work);
  *deadline.mutable_attempt() = work.attempt();
  deadline.set_kind(records::v1::WORK_KIND_DEADLINE);
  deadline.set_channel(work.channel());
  deadline.set_due_time_us(work.plan().goal().deadline_us());
  deadline.set_first_publish_time_us(work.first_publish_time_us());
  RemoveContents(deadline.plan().targets_size(), *deadline.mutable_plan());
  return deadline;
}

records::v1::Event EventOfPlan(const records::v1::WorkRecord& work, WallTime time,
                               std::string_view seed) {
  records::v1::Event event = EventOfAlert(work.client_id(), work.attempt().alert_id(), time, seed);
  event.set_priority(work.priority());
  return event;
}

}  // namespace

std::optional<PlanCondition> PlanConditionOf(const records::v1::WorkRecord& work) {
  if (!HasTarget(work)) return std::nullopt;
  const records::v1::PlannedTarget& target = TargetOf(work);
  PlanCondition condition{.goal = work.plan().goal().reach(),
                          .person_count = work.plan().goal().person_count(),
                          .person = target.person(),
                          .before = {},
                          .wait = Micros(target.wait_us())};
  if (work.attempt().attempt() == 1)
    condition.before = TargetsOf(work.plan(), target.plan_step() - 1);
  return condition;
}

std::string PersonOf(const records::v1::WorkRecord& work) {
  return HasTarget(work) ? TargetOf(work).person() : std::string();
}

std::vector<records::v1::WorkRecord> RecordsOfStep(const records::v1::WorkRecord& work,
                                                   WallTime begin) {
  std::vector<records::v1::WorkRecord> records;
  if (!BeginsStep(work)) return records;
  const std::int32_t step = TargetOf(work).plan_step();
  for (const std::int32_t number : TargetsOf(work.plan(), step))
    if (number != work.attempt().step()) records.push_back(FirstAttempt(work, number, begin));
  if (step == 1 && work.plan().goal().deadline_us() != 0) records.push_back(DeadlineRecord(work));
  return records;
}

std::vector<records::v1::WorkRecord> RecordsAtStart(const records::v1::WorkRecord& work,
                                                    WallTime begin) {
  std::vector<records::v1::WorkRecord> records = RecordsOfStep(work, begin);
  if (!BeginsStep(work)) return records;
  const auto next = TargetsOf(work.plan(), TargetOf(work).plan_step() + 1);
  if (next.empty()) return records;
  const Micros wait(work.plan().targets(next.front() - 1).wait_us());
  records.push_back(FirstAttempt(work, next.front(), begin + wait));
  return records;
}

std::vector<records::v1::WorkRecord> RecordsAfterFailure(const records::v1::WorkRecord& work,
                                                         WallTime failed) {
  std::vector<records::v1::WorkRecord> records;
  if (!HasTarget(work)) return records;
  const auto next = TargetsOf(work.plan(), TargetOf(work).plan_step() + 1);
  if (!next.empty()) records.push_back(FirstAttempt(work, next.front(), failed));
  return records;
}

bool CannotReachGoal(v1::AttemptStatus status, v1::Channel channel, v1::Reach goal) {
  // A call has ended: no key can be pressed in it any more.
  if (status == v1::ATTEMPT_STATUS_DELIVERED)
    return channel == v1::CHANNEL_VOICE && goal != v1::REACH_DELIVERED;
  // Without a confirmation the message may have been delivered.
  return IsEnd(status) && status != v1::ATTEMPT_STATUS_SENT_UNCONFIRMED;
}

std::vector<std::int32_t> LastTargetsOf(const records::v1::WorkRecord& work) {
  std::vector<std::int32_t> last;
  const records::v1::Plan& plan = work.plan();
  if (plan.goal().deadline_us() == 0) return last;
  const std::int32_t last_step = plan.targets(plan.targets_size() - 1).plan_step();
  for (int i = 0; i < plan.targets_size(); ++i)
    if (plan.targets(i).plan_step() == last_step || plan.targets(i).channel() == v1::CHANNEL_VOICE)
      last.push_back(i + 1);
  return last;
}

records::v1::Event PlanExhaustedEvent(const records::v1::WorkRecord& work, WallTime time) {
  records::v1::Event event = EventOfPlan(work, time, "plan_exhausted");
  *event.mutable_plan_exhausted()->mutable_goal() = work.plan().goal();
  return event;
}

records::v1::Event GoalMissedEvent(const records::v1::WorkRecord& deadline) {
  const WallTime time = FromUnixMicros(deadline.plan().goal().deadline_us());
  records::v1::Event event = EventOfPlan(deadline, time, "goal_missed");
  *event.mutable_goal_missed()->mutable_goal() = deadline.plan().goal();
  return event;
}

}  // namespace tocsin
