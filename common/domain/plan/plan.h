// Plans: which targets of an alert follow each other, and what must hold when one is claimed
// (pure).
//
// A work record contains what later targets need. The first attempt of a step's first target
// publishes the work records of the step's other targets and of the next step, which is due its
// wait later. A target that has failed publishes the next step once more, due at once. All copies
// name the same attempt, so one of them is made; its claim decides whether the time has come.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin {

// Reasons of attempts that are not made because of the alert's marks or its plan.
constexpr std::string_view kAcknowledgedReason = "ACKNOWLEDGED";
constexpr std::string_view kGoalReachedReason = "GOAL_REACHED";
constexpr std::string_view kGoalMissedReason = "GOAL_MISSED";
constexpr std::string_view kPersonDoneReason = "PERSON_DONE";  // acknowledged or declined

// What the claim of an attempt checks.
struct PlanCondition {
  v1::Reach goal = v1::REACH_UNSPECIFIED;
  std::int32_t person_count = 0;  // distinct persons who must acknowledge; 0 for other goals
  std::string person;             // not contacted again after acknowledging or declining
  // AttemptRef.step of the targets of the step before. This target starts `wait` after the first of
  // them, or when all of them have failed. Empty in the first step and after the first attempt.
  std::vector<std::int32_t> before;
  Micros wait{};
};

// Nothing for an alert without a plan.
std::optional<PlanCondition> PlanConditionOf(const records::v1::WorkRecord& work);

// The person of the work record's target; empty without a plan.
std::string PersonOf(const records::v1::WorkRecord& work);

// What belongs to the step of this target: its other targets, due at `begin`; with the first step
// the record that ends the alert at its deadline. Empty unless this is the first attempt of the
// first target of a step.
std::vector<records::v1::WorkRecord> RecordsOfStep(const records::v1::WorkRecord& work,
                                                   WallTime begin);

// What must be on disk before the attempt starts at `begin`, by the claim: RecordsOfStep(), and the
// next step, due its wait later.
std::vector<records::v1::WorkRecord> RecordsAtStart(const records::v1::WorkRecord& work,
                                                    WallTime begin);

// The next step, due at `failed`, when this target has failed. Empty after the last step.
std::vector<records::v1::WorkRecord> RecordsAfterFailure(const records::v1::WorkRecord& work,
                                                         WallTime failed);

// Whether an attempt with this final status, which no other follows, cannot reach the goal any
// more. A message that was delivered may still be acknowledged.
bool CannotReachGoal(v1::AttemptStatus status, v1::Channel channel, v1::Reach goal);

// The targets that must have failed before no step of the plan is left: those of the last step, and
// all calls. A message of an earlier step may still be acknowledged. Empty without a deadline.
std::vector<std::int32_t> LastTargetsOf(const records::v1::WorkRecord& work);

// No step of the plan is left since `time`.
records::v1::Event PlanExhaustedEvent(const records::v1::WorkRecord& work, WallTime time);

// The event that ends an alert whose goal was not reached. `deadline`: a record of
// WORK_KIND_DEADLINE.
records::v1::Event GoalMissedEvent(const records::v1::WorkRecord& deadline);

}  // namespace tocsin
