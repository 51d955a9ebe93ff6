// How far a plan got, and what that means for the next claim (pure). The claim store decides in the
// same way: tests/common/ports/plan_claims_contract.h runs on both.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"
#include "common/domain/plan/plan.h"

namespace tocsin {

class PlanProgress {
 public:
  // What happened. `step` is AttemptRef.step.
  // Of the first attempt. `person`: empty if it is not known.
  void Start(std::int32_t step, const std::string& person, WallTime begin);
  void Release(std::int32_t step) { starts_.erase(step); }
  void Fail(std::int32_t step) { failed_.insert(step); }
  void Acknowledge(const std::string& person) { acknowledged_.insert(person); }
  // All targets of this person that have started have failed, and that of `step`.
  void Decline(const std::string& person, std::int32_t step);
  void Reach(v1::Reach reach);  // by a delivery or by a person who answered a call
  void MissGoal() { missed_ = true; }

  bool missed() const { return missed_; }
  std::int32_t acknowledgements() const { return static_cast<std::int32_t>(acknowledged_.size()); }

  // Why the goal is reached; nothing if it is not.
  std::optional<std::string_view> ReachedBy(const PlanCondition& plan) const;
  // Why no attempt of the alert is made any more; nothing if attempts are made.
  std::optional<std::string_view> StopReason(const PlanCondition& plan) const;
  // Until the step starts; zero or less: now.
  Micros TimeLeft(const PlanCondition& plan, WallTime now) const;
  // Whether these are steps and all have failed.
  bool HaveFailed(const std::vector<std::int32_t>& steps) const;
  bool HasAcknowledged(const std::string& person) const { return acknowledged_.contains(person); }
  // Whether the person is not contacted again.
  bool IsDone(const std::string& person) const;

 private:
  std::map<std::int32_t, WallTime> starts_;
  std::map<std::int32_t, std::string> persons_;  // of the targets that have started
  std::set<std::int32_t> failed_;
  std::set<std::string> acknowledged_;
  std::set<std::string> declined_;
  v1::Reach reach_ = v1::REACH_UNSPECIFIED;
  bool missed_ = false;
};

}  // namespace tocsin
