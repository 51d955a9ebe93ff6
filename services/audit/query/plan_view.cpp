#include "services/audit/query/plan_view.h"

#include <algorithm>
#include <optional>
#include <set>
#include <vector>

#include "services/audit/projection/plan_terms.h"
#include "services/audit/query/timeline.h"

namespace tocsin::audit {
namespace {

constexpr std::string_view kMask = "*******";
constexpr std::int64_t kMicrosPerSecond = 1'000'000;

void SetDuration(std::int64_t micros, google::protobuf::Duration& into) {
  into.set_seconds(micros / kMicrosPerSecond);
  into.set_nanos(static_cast<std::int32_t>(micros % kMicrosPerSecond * 1'000));
}

std::set<std::string> PersonsWhoAcknowledged(std::span<const AlertEvent> events,
                                             const PlanTerms& terms) {
  std::set<std::string> persons;
  for (const AlertEvent& event : events)
    if (event.kind == AlertEventKind::kAcknowledged) persons.insert(PersonOf(event, terms));
  return persons;
}

// When the first attempt of one of the targets started.
std::optional<WallTime> StartOf(const std::vector<AttemptProjection>& attempts,
                                const v1::AlertStep& step) {
  std::optional<WallTime> start;
  for (const AttemptProjection& attempt : attempts)
    for (const v1::AlertTarget& target : step.targets())
      if (attempt.step() == target.number() && attempt.started())
        start = start ? std::min(*start, *attempt.started()) : *attempt.started();
  return start;
}

void SetProgress(const std::vector<AttemptProjection>& attempts,
                 const std::set<std::string>& persons, v1::AlertTarget& target) {
  for (const AttemptProjection& attempt : attempts) {  // by number
    if (attempt.step() != target.number()) continue;
    target.set_status(attempt.status());
    target.set_reach(std::max(target.reach(), attempt.reach()));
  }
  if (persons.contains(target.person())) target.set_reach(v1::REACH_ACKNOWLEDGED);
}

// When the step after the last one that has started starts.
void SetNextStepTime(const records::v1::Plan& plan, v1::AlertPlan& view) {
  std::optional<WallTime> start;
  for (const v1::AlertStep& step : view.steps()) {
    if (step.has_start_time()) {
      start = FromUnixMicros(step.start_time().seconds() * kMicrosPerSecond +
                             step.start_time().nanos() / 1'000);
      continue;
    }
    if (!start) return;
    const std::int64_t wait = plan.targets(step.targets(0).number() - 1).wait_us();
    return SetTime(*start + Micros(wait), *view.mutable_next_step_time());
  }
}

}  // namespace

std::string MaskedNumber(const std::string& last_four) {
  return last_four.empty() ? std::string() : std::string(kMask) + last_four;
}

v1::Channel ChannelOf(const records::v1::Plan& plan, std::int32_t step, v1::Channel of_alert) {
  if (step < 1 || step > plan.targets_size()) return of_alert;
  return plan.targets(step - 1).channel();
}

void AddPlan(const records::v1::Plan& plan, std::span<const AlertEvent> events, v1::Alert& alert) {
  if (plan.targets().empty()) return;
  const PlanTerms terms = TermsOf(plan);
  const ProjectedAlert projected = ProjectAlert(true, events, terms);
  const std::set<std::string> persons = PersonsWhoAcknowledged(events, terms);
  v1::AlertPlan& view = *alert.mutable_plan();
  view.set_goal(plan.goal().reach());
  view.set_person_count(plan.goal().person_count());
  if (plan.goal().deadline_us() != 0)
    SetTime(FromUnixMicros(plan.goal().deadline_us()), *view.mutable_deadline());
  for (std::int32_t number = 1; number <= plan.targets_size(); ++number) {
    const records::v1::PlannedTarget& planned = plan.targets(number - 1);
    if (planned.plan_step() > view.steps_size()) {
      v1::AlertStep& step = *view.add_steps();
      if (planned.wait_us() != 0) SetDuration(planned.wait_us(), *step.mutable_wait_duration());
    }
    v1::AlertTarget& target = *view.mutable_steps(view.steps_size() - 1)->add_targets();
    target.set_number(number);
    target.set_person(planned.person());
    target.set_channel(planned.channel());
    target.set_masked_recipient(MaskedNumber(planned.recipient().last_four()));
    SetProgress(projected.attempts, persons, target);
  }
  for (v1::AlertStep& step : *view.mutable_steps())
    if (const auto start = StartOf(projected.attempts, step))
      SetTime(*start, *step.mutable_start_time());
  if (!IsEnd(alert.state())) SetNextStepTime(plan, view);
  for (v1::Acknowledgement& acknowledgement : *alert.mutable_acknowledgements())
    if (acknowledgement.person().empty()) acknowledgement.set_person(acknowledgement.actor_id());
}

}  // namespace tocsin::audit
