// The ground truth of alerts with a plan, and the invariants of plans. Part of the checker.
//
// Nobody is contacted after a confirmed acknowledgement. Exactly: no attempt is claimed after the
// claim store has it, and what is confirmed by the API is in the store. There are three exceptions.
// A POST may follow its claim: the start is published between them, and a process may freeze. A key
// press that could not be stored is in the log alone, until a worker has synced it. Without the
// store, an emergency is claimed by the order of the log: what precedes its SENDING event counts.
// Such an emergency may also start a step before its time, and a call whose callback the store did
// not save is repeated although the store may know that its target has failed.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "common/domain/alert/alert_projection.h"
#include "common/ports/claims.h"
#include "common/ports/clock.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin::model {

struct PlanCounts {
  std::uint64_t plans = 0, acknowledged = 0, missed = 0, declined = 0, calls_ended = 0, by_log = 0,
                early_steps = 0;
  PlanCounts& operator+=(const PlanCounts& other);
};

class PlanChecker {
 public:
  PlanChecker(const Clock& clock, std::function<void(const std::string&)> violate)
      : clock_(clock), violate_(std::move(violate)) {}

  // `work`: the record that accepts the alert. Other alerts are ignored by all functions.
  void Enqueued(const records::v1::WorkRecord& work);
  bool Has(const std::string& alert_id) const { return plans_.contains(alert_id); }
  PlanTerms TermsOf(const std::string& alert_id) const;
  std::int64_t DeadlineUsOf(const std::string& alert_id) const {
    return plans_.at(alert_id).terms.goal().deadline_us();
  }

  // Reports of the claim store: an attempt was granted; it ended without a start; its target was
  // noted as failed; the worker got no reply when it saved a callback; a person is marked; the
  // progress of an attempt was stored; the plan has ended.
  void Granted(const v1::AttemptRef& ref);
  void NotAttempted(const v1::AttemptRef& ref);
  void TargetFailed(const v1::AttemptRef& ref);
  void CallbackNotSaved(const v1::AttemptRef& ref);
  void Marked(const std::string& alert_id, const KnownMark& mark);
  void Reached(const std::string& alert_id, const records::v1::AttemptResult& result);
  void Ended(const std::string& alert_id, PlanEnd::State state);

  void Appended(const records::v1::Event& event);

  // Reports of persons and of the client: an acknowledgement was requested; it was confirmed.
  // `stored`: the response reported the alert as marked. A confirmed key press may be in the log
  // alone: then it is synced to the store later.
  void AcknowledgementRequested(const std::string& alert_id, const std::string& person);
  void Acknowledged(const std::string& alert_id, const std::string& person, bool stored);

  // Reports of the provider: a POST started (`in_doubt`: an attempt of its target was in doubt); a
  // person answered a call; a request to end a call was received.
  void PostStarted(const v1::AttemptRef& ref, bool in_doubt);
  void PersonAnswered(const v1::AttemptRef& ref);
  void CallEndRequested(const v1::AttemptRef& ref);

  std::string PersonOf(const v1::AttemptRef& ref) const;

  // Checks the final state. `cancelled`: when a cancellation was confirmed before anything was
  // sent.
  void Check(const std::string& alert_id, const ProjectedAlert& projected,
             const std::optional<WallTime>& cancelled);

  PlanCounts counts;

 private:
  struct Target {
    std::optional<WallTime> begin;  // of its first claim, also if that was released
    bool failed = false;            // no attempt follows, or the first one was not made
    // The first attempt with a callback that was not saved.
    std::optional<std::int32_t> not_saved;
    std::set<std::string> stopped;   // attempts that the log stops before their start
    std::set<std::string> by_log;    // attempts that were started by the order of the log
    std::set<std::string> by_store;  // attempts that were granted
  };
  // The state of the plan in the store, or in the log.
  struct Known {
    std::set<std::string> acknowledged;  // persons
    std::set<std::string> declined;
    bool missed = false;
    bool cancelled = false;
  };
  struct Plan {
    records::v1::Plan terms;  // without contents
    bool emergency = false;
    std::map<std::int32_t, Target> targets;
    Known store;
    Known log;
    v1::Reach reach = v1::REACH_UNSPECIFIED;  // known to the store
    std::set<std::string> requested;          // persons
    std::set<std::string> confirmed;
    bool person_answered = false;
    std::optional<PlanEnd::State> end;  // at the deadline
    bool acknowledged_at_end = false;   // the store knew enough acknowledgements then
  };

  Plan* Find(const std::string& alert_id);
  const records::v1::PlannedTarget& TermsOf(const Plan& plan, std::int32_t step) const {
    return plan.terms.targets(step - 1);
  }
  static std::size_t Needed(const Plan& plan);  // persons
  static bool IsReached(const Plan& plan);      // as far as the store knows
  // Why this state stops an attempt to this person; empty if it does not.
  static std::string StopReason(const Plan& plan, const Known& known, const std::string& person);
  void CheckStep(Plan& plan, const v1::AttemptRef& ref);
  void ReadStart(Plan& plan, const records::v1::Event& event);
  void CheckAcknowledged(const std::string& alert_id, const Plan& plan, v1::AlertState state);
  void CheckEnd(const std::string& alert_id, const Plan& plan, v1::AlertState state);

  const Clock& clock_;
  const std::function<void(const std::string&)> violate_;
  std::map<std::string, Plan> plans_;  // by alert
};

}  // namespace tocsin::model
