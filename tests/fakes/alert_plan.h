// The marks and the plan of an alert in the fake claim store.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/domain/delivery/in_doubt.h"
#include "common/domain/plan/plan_progress.h"
#include "common/ports/admissions.h"
#include "common/ports/claims.h"
#include "tests/fakes/alert_marks.h"

namespace tocsin {

// Not thread-safe.
class AlertPlan {
 public:
  // --- Marks ------------------------------------------------------------------------------------

  // As Admissions::Mark, without what attempts show: whether a POST is in progress, results, and
  // the delivery of an alert without a plan. `claimed`: an attempt of the alert was claimed.
  MarkResult Mark(const MarkRequest& request, bool claimed) {
    KnownMark mark = MarkOf(request);
    const bool refused = request.unless_cancelled && IsCancelled();
    MarkResult marked{.newly_marked = !refused && SetMark(request.time, mark),
                      .client_id = request.client_id,
                      .person = mark.person,
                      .has_plan = goal_.has_value()};
    // Until the first claim the alert may have a plan, and each actor may be a person of it.
    if (mark.kind == KnownMark::Kind::kAcknowledged && mark.person.empty() && !claimed)
      mark.person = marked.person = mark.actor_id;
    const AlertMarks::Stored* first = marks_.Find(mark.kind, mark.person);
    marked.cancelled = request.unless_cancelled && first == nullptr;
    if (first != nullptr) {
      marked.time = first->time;
      marked.method = first->mark.method;
      marked.actor_id = first->mark.actor_id;
      marked.step = first->mark.step;
      marked.evidence = first->mark.evidence;
      // The mark of an alert whose plan is not known may be that of a person.
      if (marked.person.empty()) marked.person = first->mark.person;
    }
    const AlertMarks::Stored* cancelled = marks_.Find(KnownMark::Kind::kCancelled);
    const AlertMarks::Stored* acknowledged = marks_.Find(KnownMark::Kind::kAcknowledged);
    if (cancelled != nullptr && acknowledged != nullptr && acknowledged->time <= cancelled->time)
      marked.acknowledged_before = *acknowledged;
    if (goal_) marked.delivered = IsDecidedByAttempts();
    return marked;
  }
  // Returns whether it was not set before.
  bool SetMark(WallTime time, KnownMark mark) {
    if (mark.kind == KnownMark::Kind::kGoalMissed) progress_.MissGoal();
    if (mark.kind == KnownMark::Kind::kDeclined) progress_.Decline(mark.person, mark.step);
    if (mark.kind != KnownMark::Kind::kAcknowledged) return marks_.Set(time, mark, mark.person);
    mark.person = PersonOf(mark);
    if (mark.person.empty()) {
      const bool newly_marked = marks_.Set(time, mark, {});
      mark.person = mark.actor_id;
      marks_.Set(time, mark, mark.person);
      progress_.Acknowledge(mark.person);
      return newly_marked;
    }
    const bool newly_marked = marks_.Set(time, mark, mark.person);
    progress_.Acknowledge(mark.person);
    const std::int32_t needed = goal_ ? goal_->person_count : 0;
    if (progress_.acknowledgements() >= needed) marks_.Set(time, mark, {});
    return newly_marked;
  }
  bool IsCancelled() const { return marks_.Find(KnownMark::Kind::kCancelled) != nullptr; }
  // Of the alert as a whole: it was marked while its plan was not known.
  void EraseAcknowledgement() { marks_.Erase(KnownMark::Kind::kAcknowledged); }

  // --- Plan -------------------------------------------------------------------------------------

  void SetPlan(std::int32_t step, const PlanCondition& plan) {
    goal_ = plan;
    persons_of_[step] = plan.person;
  }
  PlanProgress& progress() { return progress_; }
  void NoteReach(const records::v1::AttemptResult& result) {
    if (WasAnsweredByPerson(result)) progress_.Reach(v1::REACH_HUMAN);
    if (result.outcome() == records::v1::ATTEMPT_OUTCOME_ACCEPTED &&
        result.status() == v1::ATTEMPT_STATUS_DELIVERED)
      progress_.Reach(v1::REACH_DELIVERED);
  }
  // Why no attempt is granted; nothing if attempts are granted. `plan`: of the attempt.
  std::optional<std::string> StopReason(const std::optional<PlanCondition>& plan) const {
    if (IsCancelled()) return "CANCELLED";
    std::optional<std::string_view> reason;
    if (plan)
      reason = progress_.StopReason(*plan);
    else if (marks_.Find(KnownMark::Kind::kAcknowledged) != nullptr)
      reason = kAcknowledgedReason;
    return reason ? std::optional(std::string(*reason)) : std::nullopt;
  }
  // As Claims::NoteTargetFailed.
  std::optional<WallTime> NoteTargetFailed(std::int32_t step,
                                           const std::vector<std::int32_t>& last_targets,
                                           WallTime time) {
    progress_.Fail(step);
    if (!goal_ || progress_.StopReason(*goal_) || IsCancelled() ||
        !progress_.HaveFailed(last_targets))
      return std::nullopt;
    if (!exhausted_) exhausted_ = time;
    return exhausted_;
  }
  // As Claims::EndPlan.
  PlanEnd End(const PlanCondition& plan) {
    PlanEnd end;
    if (progress_.missed()) return end;
    if (progress_.ReachedBy(plan)) {
      end.state = PlanEnd::State::kGoalReached;
      end.acknowledgements = marks_.AcknowledgementsOfPersons();
      return end;
    }
    end.state = IsCancelled() ? PlanEnd::State::kCancelled : PlanEnd::State::kGoalMissed;
    if (end.state == PlanEnd::State::kGoalMissed) {
      progress_.MissGoal();
      goal_ = plan;
    }
    return end;
  }
  // The steps whose calls the plan does not need any more.
  std::vector<std::int32_t> StepsToEnd() const {
    std::vector<std::int32_t> steps;
    if (!goal_) return steps;
    const bool all = progress_.ReachedBy(*goal_).has_value();
    for (const auto& [step, person] : persons_of_)
      if (all || progress_.IsDone(person)) steps.push_back(step);
    return steps;
  }

 private:
  KnownMark MarkOf(const MarkRequest& request) const {
    KnownMark mark{.method = request.method,
                   .actor_id = request.actor_id,
                   .step = request.step,
                   .evidence = request.evidence,
                   .person = request.person};
    if (request.mark == MarkRequest::Mark::kCancelled) return mark;
    mark.kind = request.mark == MarkRequest::Mark::kDeclined ? KnownMark::Kind::kDeclined
                                                             : KnownMark::Kind::kAcknowledged;
    mark.person = PersonOf(mark);
    return mark;
  }
  // The person who sets the mark is given, or is that of the step, or the caller if there is a
  // plan.
  std::string PersonOf(const KnownMark& mark) const {
    if (!mark.person.empty()) return mark.person;
    if (const auto of_step = persons_of_.find(mark.step); of_step != persons_of_.end())
      return of_step->second;
    return goal_ ? mark.actor_id : std::string();
  }
  // Whether the goal was missed or is reached without acknowledgements.
  bool IsDecidedByAttempts() const {
    PlanCondition by_attempts = *goal_;
    by_attempts.person_count = std::numeric_limits<std::int32_t>::max();
    return progress_.StopReason(by_attempts).has_value();
  }

  AlertMarks marks_;
  PlanProgress progress_;
  std::optional<PlanCondition> goal_;               // once an attempt was claimed
  std::map<std::int32_t, std::string> persons_of_;  // by step
  std::optional<WallTime> exhausted_;
};

}  // namespace tocsin
