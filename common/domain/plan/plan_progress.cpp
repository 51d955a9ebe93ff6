#include "common/domain/plan/plan_progress.h"

#include <algorithm>

namespace tocsin {

void PlanProgress::Start(std::int32_t step, const std::string& person, WallTime begin) {
  starts_.insert_or_assign(step, begin);
  if (!person.empty()) persons_.insert_or_assign(step, person);
}

void PlanProgress::Decline(const std::string& person, std::int32_t step) {
  declined_.insert(person);
  failed_.insert(step);
  for (const auto& [started, its_person] : persons_)
    if (its_person == person) failed_.insert(started);
}

void PlanProgress::Reach(v1::Reach reach) { reach_ = std::max(reach_, reach); }

std::optional<std::string_view> PlanProgress::ReachedBy(const PlanCondition& plan) const {
  if (acknowledgements() >= std::max(plan.person_count, 1)) return kAcknowledgedReason;
  if (plan.goal != v1::REACH_ACKNOWLEDGED && reach_ >= plan.goal) return kGoalReachedReason;
  return std::nullopt;
}

std::optional<std::string_view> PlanProgress::StopReason(const PlanCondition& plan) const {
  if (missed_) return kGoalMissedReason;
  return ReachedBy(plan);
}

Micros PlanProgress::TimeLeft(const PlanCondition& plan, WallTime now) const {
  std::optional<WallTime> begin;
  bool all_failed = true;
  for (const std::int32_t step : plan.before) {
    if (const auto start = starts_.find(step); start != starts_.end())
      begin = std::min(begin.value_or(start->second), start->second);
    all_failed = all_failed && failed_.contains(step);
  }
  return all_failed ? Micros(0) : begin.value_or(now) + plan.wait - now;
}

bool PlanProgress::HaveFailed(const std::vector<std::int32_t>& steps) const {
  return !steps.empty() &&
         std::ranges::all_of(steps, [this](std::int32_t step) { return failed_.contains(step); });
}

bool PlanProgress::IsDone(const std::string& person) const {
  return acknowledged_.contains(person) || declined_.contains(person);
}

}  // namespace tocsin
