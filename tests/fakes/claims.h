// Claims and UnreconciledAttempts in memory. They pass the contract suites of their ports. The
// state of an alert is in alert_plan.h.
#pragma once

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/domain/alert/alert_projection.h"
#include "common/domain/delivery/in_doubt.h"
#include "common/ports/admissions.h"
#include "common/ports/claims.h"
#include "common/ports/clock.h"
#include "common/ports/unreconciled_attempts.h"
#include "tests/fakes/alert_plan.h"

namespace tocsin {

// `clock` is the store's clock.
class FakeClaims final : public Claims, public UnreconciledAttempts {
 public:
  explicit FakeClaims(const Clock& clock) : clock_(clock) {}

  // While down, every request fails with kRedisUnavailable.
  void SetDown(bool down) {
    const std::lock_guard lock(mutex_);
    down_ = down;
  }
  // Deletes all data; every request fails from now on.
  void LoseData() {
    const std::lock_guard lock(mutex_);
    attempts_.clear();
    sids_.clear();
    works_.clear();
    alerts_.clear();
    unreconciled_.clear();
    keys_.clear();
    down_ = true;
  }
  // `reason`: CANCELLED or ACKNOWLEDGED.
  void Mark(const std::string& alert_id, const std::string& reason) {
    const std::lock_guard lock(mutex_);
    alerts_[alert_id].SetMark(
        clock_.Now(), {.kind = reason == kAcknowledgedReason ? KnownMark::Kind::kAcknowledged
                                                             : KnownMark::Kind::kCancelled});
  }
  // As Admissions::Mark, of an alert that belongs to the client.
  MarkResult Mark(const MarkRequest& request) {
    const std::lock_guard lock(mutex_);
    const std::string& alert_id = request.alert_id;
    MarkResult marked = alerts_[alert_id].Mark(request, WasClaimed(alert_id));
    const std::string prefix = alert_id + ".";
    for (auto entry = attempts_.lower_bound(prefix);
         entry != attempts_.end() && entry->first.starts_with(prefix); ++entry) {
      const Attempt& attempt = entry->second;
      marked.post_in_progress = marked.post_in_progress || attempt.state == State::kSending;
      marked.delivered = marked.delivered || (!marked.has_plan && attempt.delivered);
      if (attempt.state == State::kDone) marked.results.push_back(attempt.result);
    }
    return marked;
  }

  bool IsCancelled(const std::string& alert_id) {
    const std::lock_guard lock(mutex_);
    return alerts_[alert_id].IsCancelled();
  }

  Task<Result<ClaimReply>> Claim(const ClaimRequest& request) override {
    const std::lock_guard lock(mutex_);
    ++requests;
    if (down_) co_return Down();
    Attempt& attempt = attempts_[Key(request.attempt)];
    const WallTime now = clock_.Now();
    if (attempt.state == State::kDone) co_return Ended(ClaimReply::State::kDone, attempt.result);
    if (attempt.state == State::kSending) {
      ClaimReply claim;
      claim.fence = attempt.fence;
      claim.begin_time = attempt.begin_time;
      claim.state = attempt.lease_end > now ? ClaimReply::State::kBusy : ClaimReply::State::kLapsed;
      if (attempt.lease_end > now) claim.lease_left = attempt.lease_end - now;
      co_return claim;
    }
    const bool conflict = request.accepted && !HoldsKey(*request.accepted);
    AlertPlan& alert = alerts_[request.attempt.alert_id()];
    const auto reason = alert.StopReason(request.plan);
    if (reason && (missed_goals_stop || *reason != kGoalMissedReason)) {
      FailIfFirst(request);
      co_return Stop(attempt, v1::ATTEMPT_STATUS_CANCELLED, *reason);
    }
    if (request.plan) alert.EraseAcknowledgement();
    if (conflict) co_return Stop(attempt, v1::ATTEMPT_STATUS_REJECTED, "IDEMPOTENCY_CONFLICT");
    if (request.plan && !request.plan->before.empty() &&
        alert.progress().TimeLeft(*request.plan, now) > Micros(0)) {
      ClaimReply claim;
      claim.state = ClaimReply::State::kEarly;
      claim.lease_left = alert.progress().TimeLeft(*request.plan, now);
      co_return claim;
    }
    if (request.plan && alert.progress().IsDone(request.plan->person)) {
      FailIfFirst(request);
      co_return Stop(attempt, v1::ATTEMPT_STATUS_CANCELLED, std::string(kPersonDoneReason));
    }
    if (request.not_attempted) {
      FailIfFirst(request);
      attempt.state = State::kDone;
      attempt.result = *request.not_attempted;
      co_return Ended(ClaimReply::State::kDone, attempt.result);
    }
    attempt.state = State::kSending;
    ++attempt.fence;
    attempt.begin_time = now;
    attempt.lease_end = now + request.lease;
    attempt.duplicate_key = request.duplicate_key;
    clients_[request.attempt.alert_id()] = request.client_id;
    works_[StepKey(request.attempt)] = {request.attempt.attempt(), request.work};
    if (request.plan) alert.SetPlan(request.attempt.step(), *request.plan);
    if (request.attempt.attempt() == 1)
      alert.progress().Start(request.attempt.step(), request.plan ? request.plan->person : "", now);
    ClaimReply claim;
    claim.state = ClaimReply::State::kGranted;
    claim.fence = attempt.fence;
    claim.begin_time = now;
    co_return claim;
  }

  Task<Status> Release(const v1::AttemptRef& ref, std::uint64_t fence) override {
    const std::lock_guard lock(mutex_);
    if (down_) co_return Down();
    Attempt& attempt = attempts_[Key(ref)];
    if (attempt.state != State::kSending || attempt.fence != fence) co_return {};
    attempt.state = State::kNotStarted;
    if (ref.attempt() == 1) alerts_[ref.alert_id()].progress().Release(ref.step());
    co_return {};
  }

  Task<Result<std::optional<records::v1::AttemptResult>>> SaveResult(
      const v1::AttemptRef& ref, std::uint64_t fence,
      const records::v1::AttemptResult& result) override {
    const std::lock_guard lock(mutex_);
    ++requests;
    if (down_) co_return Down();
    const bool accepted = result.outcome() == records::v1::ATTEMPT_OUTCOME_ACCEPTED;
    if (accepted && result.provider_sid().empty())
      co_return Fail(ErrorCode::kInvalidArgument, "accepted without a SID");
    if (accepted) {
      Owner& owner = sids_.try_emplace(result.provider_sid(), Owner{Key(ref), false}).first->second;
      if (owner.name != Key(ref) && !owner.from_list)
        co_return Fail(ErrorCode::kDataCorrupted, "the SID belongs to another attempt");
      if (owner.name != Key(ref)) attempts_[owner.name].sid_moved = true;
      owner = {Key(ref), false};
    }
    Attempt& attempt = attempts_[Key(ref)];
    if (accepted) {
      attempt.ended = attempt.ended || IsEnd(result.status());
      attempt.delivered = attempt.delivered || result.status() == v1::ATTEMPT_STATUS_DELIVERED;
      alerts_[ref.alert_id()].NoteReach(result);
      Enter(ref, result);
    }
    if (Replaces(attempt, result, fence)) {
      attempt.state = State::kDone;
      attempt.result = result;
    }
    if (attempt.state != State::kDone) co_return std::optional<records::v1::AttemptResult>();
    co_return std::optional(attempt.result);
  }

  Task<Result<std::optional<records::v1::AttemptResult>>> Resolve(
      const ResolveRequest& request) override {
    const std::lock_guard lock(mutex_);
    if (down_) co_return Down();
    const std::string key = Key(request.attempt);
    Attempt& attempt = attempts_[key];
    if (attempt.state == State::kDone && !IsInDoubt(attempt))
      co_return std::optional(attempt.result);
    if (IsSending(attempt)) co_return std::optional<records::v1::AttemptResult>();
    std::vector<records::v1::AttemptResult> free;
    for (const records::v1::AttemptResult& found : request.found) {
      const auto owner = sids_.find(found.provider_sid());
      if (owner == sids_.end()) free.push_back(found);
      if (owner == sids_.end() || owner->second.name != key) continue;
      Enter(request.attempt, found);
      co_return End(attempt, found);
    }
    size_t in_doubt = 1;
    size_t sending = 0;
    for (const auto& [name, duplicate] : attempts_) {
      if (name == key || duplicate.duplicate_key != request.duplicate_key) continue;
      sending += IsSending(duplicate) ? 1 : 0;
      in_doubt += IsInDoubt(duplicate) ? 1 : 0;
    }
    if (!free.empty() &&
        (free.size() >= in_doubt + sending || (request.unresolved && sending == 0))) {
      sids_[free.front().provider_sid()] = {key, true};
      Enter(request.attempt, free.front());
      co_return End(attempt, free.front());
    }
    if (request.absent && AllBelongToOthers(request.listed_sids, key))
      co_return End(attempt, *request.absent);
    if (request.unresolved) co_return End(attempt, *request.unresolved);
    co_return std::optional<records::v1::AttemptResult>();
  }

  Task<Status> Sync(const KnownAttempt& known) override {
    const std::lock_guard lock(mutex_);
    if (down_) co_return Down();
    AlertPlan& alert = alerts_[known.name.alert_id()];
    if (known.mark) {
      alert.SetMark(known.time, *known.mark);
      co_return {};
    }
    Attempt& attempt = attempts_[Key(known.name)];
    clients_.try_emplace(known.name.alert_id(), known.client_id);
    alert.NoteReach(known.result);
    if (!known.person.empty())
      alert.SetPlan(known.name.step(), {.goal = known.goal,
                                        .person_count = known.person_count,
                                        .person = known.person,
                                        .before = {},
                                        .wait = {}});
    attempt.ended = attempt.ended || known.ended;
    attempt.delivered = attempt.delivered || known.delivered;
    attempt.priced = attempt.priced || known.priced;
    if (known.undelivered_time)
      attempt.undelivered_time = std::min(
          attempt.undelivered_time.value_or(*known.undelivered_time), *known.undelivered_time);
    if (known.result.outcome() == records::v1::ATTEMPT_OUTCOME_UNSPECIFIED) {
      if (known.priced) co_return {};
      if (attempt.state == State::kSending) {
        attempt.begin_time = std::min(attempt.begin_time, known.time);
        attempt.lease_end = std::max(attempt.lease_end, known.lease_until);
      }
      if (known.name.attempt() == 1)
        alert.progress().Start(known.name.step(), known.person, known.time);
      if (attempt.state != State::kNotStarted) co_return {};
      attempt.state = State::kSending;
      attempt.fence = 1;
      attempt.begin_time = known.time;
      attempt.lease_end = known.lease_until;
      co_return {};
    }
    const bool done = attempt.state == State::kDone;
    if (done && (ProofOf(attempt.result) == Proof::kCertain ||
                 ProofOf(known.result) <= ProofOf(attempt.result)))
      co_return {};
    attempt.state = State::kDone;
    attempt.result = known.result;
    if (known.result.outcome() != records::v1::ATTEMPT_OUTCOME_ACCEPTED) co_return {};
    sids_[known.result.provider_sid()] = {Key(known.name), ProofOf(known.result) == Proof::kList};
    Enter(known.name, known.result);
    co_return {};
  }

  Task<Result<std::optional<WallTime>>> NoteUndelivered(const v1::AttemptRef& ref,
                                                        std::optional<WallTime> time) override {
    const std::lock_guard lock(mutex_);
    if (down_) co_return Down();
    Attempt& attempt = attempts_[Key(ref)];
    if (!attempt.undelivered_time) attempt.undelivered_time = time.value_or(kPersonAnswered);
    co_return *attempt.undelivered_time == kPersonAnswered ? std::nullopt
                                                           : attempt.undelivered_time;
  }

  Task<Result<std::optional<WallTime>>> NoteTargetFailed(
      const v1::AttemptRef& ref, const std::vector<std::int32_t>& last_targets,
      WallTime time) override {
    const std::lock_guard lock(mutex_);
    if (down_) co_return Down();
    co_return alerts_[ref.alert_id()].NoteTargetFailed(ref.step(), last_targets, time);
  }

  Task<Result<PlanEnd>> EndPlan(const v1::AttemptRef& ref, const PlanCondition& plan,
                                WallTime) override {
    const std::lock_guard lock(mutex_);
    if (down_) co_return Down();
    co_return alerts_[ref.alert_id()].End(plan);
  }

  Task<Result<std::vector<records::v1::AttemptResult>>> FindCallsToEnd(
      const std::string& alert_id) override {
    const std::lock_guard lock(mutex_);
    if (down_) co_return Down();
    std::vector<records::v1::AttemptResult> calls;
    for (const std::int32_t step : alerts_[alert_id].StepsToEnd()) {
      const std::string prefix = alert_id + "." + std::to_string(step) + ".";
      for (auto entry = attempts_.lower_bound(prefix);
           entry != attempts_.end() && entry->first.starts_with(prefix); ++entry)
        if (!entry->second.ended && entry->second.result.provider_sid().starts_with("CA"))
          calls.push_back(entry->second.result);
    }
    co_return calls;
  }

  Task<Status> Ping() override {
    if (down_) co_return Down();
    co_return Status();
  }

  WallTime CompleteSince() const override { return complete_since; }
  WallTime complete_since = WallTime::min();
  int requests = 0;  // Claim and SaveResult
  // A bug that the model plants: an acceptance does not replace an end without a POST.
  bool ends_are_certain = false;
  // Another one: attempts start although the goal of their plan was missed.
  bool missed_goals_stop = true;

  Task<Result<std::optional<std::string>>> FindWork(const v1::AttemptRef& ref) override {
    const std::lock_guard lock(mutex_);
    if (down_) co_return Down();
    const auto found = works_.find(StepKey(ref));
    if (found == works_.end() || found->second.first != ref.attempt())
      co_return std::optional<std::string>();
    co_return std::optional(found->second.second);
  }

  Task<Result<DueAttempts>> FindDue(v1::Channel channel, WallTime now, std::size_t max) override {
    const std::lock_guard lock(mutex_);
    if (down_) co_return Down();
    DueAttempts attempts;
    std::vector<std::pair<std::pair<bool, WallTime>, UnreconciledAttempt>> due;
    for (const auto& [key, entry] : unreconciled_) {
      if (entry.channel != channel) continue;
      ++attempts.total;
      if (entry.due > now) continue;
      const Attempt& attempt = attempts_[key];
      UnreconciledAttempt unreconciled{.name = entry.ref,
                                       .client_id = clients_[entry.ref.alert_id()],
                                       .result = attempt.result,
                                       .ended = attempt.ended,
                                       .priced = attempt.priced,
                                       .holds_sid = !attempt.sid_moved,
                                       .work = {}};
      const auto found = works_.find(StepKey(entry.ref));
      records::v1::WorkRecord work;
      if (found != works_.end() && work.ParseFromString(found->second.second))
        unreconciled.work = work;
      due.emplace_back(std::pair(unreconciled.ended, entry.due), std::move(unreconciled));
    }
    std::ranges::sort(due, {}, [](const auto& row) { return row.first; });
    for (auto& [key, unreconciled] : due)
      if (attempts.due.size() < max) attempts.due.push_back(std::move(unreconciled));
    co_return attempts;
  }

  Task<Status> SaveLookup(v1::Channel, const v1::AttemptRef& ref,
                          const Reconciled& found) override {
    const std::lock_guard lock(mutex_);
    if (down_) co_return Down();
    Attempt& attempt = attempts_[Key(ref)];
    attempt.ended = attempt.ended || found.ended;
    attempt.priced = attempt.priced || found.priced;
    if (found.callback) alerts_[ref.alert_id()].NoteReach(ProvenByCallback(*found.callback));
    const auto entry = unreconciled_.find(Key(ref));
    if (entry == unreconciled_.end()) co_return {};
    if (found.next_time)
      entry->second.due = *found.next_time;
    else
      unreconciled_.erase(entry);
    co_return {};
  }

 private:
  static constexpr WallTime kPersonAnswered{};
  enum class State { kNotStarted, kSending, kDone };
  struct Attempt {
    State state = State::kNotStarted;
    std::uint64_t fence = 0;
    WallTime begin_time;
    WallTime lease_end;
    records::v1::AttemptResult result;
    std::string duplicate_key;
    bool ended = false;
    bool delivered = false;
    bool priced = false;
    std::optional<WallTime> undelivered_time = {};  // as noted first; or kPersonAnswered
    bool sid_moved = false;                         // to another attempt
  };
  struct Unreconciled {
    v1::AttemptRef ref;
    v1::Channel channel;
    WallTime due;
  };
  struct Owner {
    std::string name;
    bool from_list;
  };

  // A target whose first attempt is not made has failed.
  void FailIfFirst(const ClaimRequest& request) {
    const v1::AttemptRef& ref = request.attempt;
    AlertPlan& alert = alerts_[ref.alert_id()];
    if (ref.attempt() == 1) alert.progress().Fail(ref.step());
    if (request.plan) alert.SetPlan(ref.step(), *request.plan);
  }
  bool WasClaimed(const std::string& alert_id) const {
    const std::string prefix = alert_id + ".";
    for (auto entry = attempts_.lower_bound(prefix);
         entry != attempts_.end() && entry->first.starts_with(prefix); ++entry)
      if (entry->second.state == State::kSending || entry->second.state == State::kDone)
        return true;
    return false;
  }

  static ClaimReply Ended(ClaimReply::State state, const records::v1::AttemptResult& result) {
    ClaimReply claim;
    claim.state = state;
    claim.result = result;
    return claim;
  }
  ClaimReply Stop(Attempt& attempt, v1::AttemptStatus status, const std::string& reason) {
    attempt.state = State::kDone;
    attempt.result.set_outcome(records::v1::ATTEMPT_OUTCOME_NOT_ATTEMPTED);
    attempt.result.set_status(status);
    attempt.result.set_reason(reason);
    attempt.result.set_end_time_us(ToUnixMicros(clock_.Now()));
    return Ended(ClaimReply::State::kStopped, attempt.result);
  }
  // Assigns the idempotency key if no alert has it.
  bool HoldsKey(const AcceptedAlert& alert) {
    if (alert.idempotency_digest.empty()) return true;
    return keys_.try_emplace(alert.idempotency_digest, alert.alert_id).first->second ==
           alert.alert_id;
  }
  static std::string Key(const v1::AttemptRef& ref) {
    return ref.alert_id() + "." + std::to_string(ref.step()) + "." + std::to_string(ref.attempt());
  }
  static std::string StepKey(const v1::AttemptRef& ref) {
    return ref.alert_id() + "." + std::to_string(ref.step());
  }
  static tl::unexpected<Error> Down() {
    return Fail(ErrorCode::kRedisUnavailable, "the store does not respond");
  }
  bool Replaces(const Attempt& attempt, const records::v1::AttemptResult& result,
                std::uint64_t fence) const {
    const bool accepted = result.outcome() == records::v1::ATTEMPT_OUTCOME_ACCEPTED;
    if (attempt.state == State::kDone) {
      const Proof stored = ProofOf(attempt.result);
      const bool certain = stored == Proof::kCertain ||
                           (ends_are_certain &&
                            attempt.result.outcome() == records::v1::ATTEMPT_OUTCOME_NOT_ATTEMPTED);
      return accepted && !certain && ProofOf(result) > stored;
    }
    if (accepted) return true;
    if (attempt.state != State::kSending) return false;
    return fence == attempt.fence || (fence == kNoFence && clock_.Now() >= attempt.lease_end);
  }
  // As a callback or a response proves.
  bool AllBelongToOthers(const std::vector<std::string>& sids, const std::string& key) const {
    return std::ranges::all_of(sids, [&](const std::string& sid) {
      const auto owner = sids_.find(sid);
      return owner != sids_.end() && owner->second.name != key && !owner->second.from_list;
    });
  }
  bool IsSending(const Attempt& attempt) const {
    return attempt.state == State::kSending && attempt.lease_end > clock_.Now();
  }
  bool IsInDoubt(const Attempt& attempt) const {
    return (attempt.state == State::kSending && !IsSending(attempt)) ||
           (attempt.state == State::kDone && ProofOf(attempt.result) == Proof::kInDoubt);
  }
  static std::optional<records::v1::AttemptResult> End(Attempt& attempt,
                                                       const records::v1::AttemptResult& result) {
    attempt.state = State::kDone;
    attempt.result = result;
    return result;
  }

  void Enter(const v1::AttemptRef& ref, const records::v1::AttemptResult& result) {
    const Attempt& attempt = attempts_[Key(ref)];
    if (attempt.ended && attempt.priced) return;
    const bool call = result.provider_sid().starts_with("CA");
    unreconciled_.try_emplace(Key(ref),
                              Unreconciled{ref, call ? v1::CHANNEL_VOICE : v1::CHANNEL_SMS,
                                           clock_.Now() + ReconcileSchedule().initial_delay});
  }

  const Clock& clock_;
  std::mutex mutex_;
  bool down_ = false;
  std::map<std::string, Attempt> attempts_;
  std::map<std::string, Owner> sids_;
  std::map<std::string, std::pair<std::int32_t, std::string>> works_;  // of a step's newest attempt
  std::map<std::string, AlertPlan> alerts_;                            // marks and plan, by alert
  std::map<std::string, Unreconciled> unreconciled_;
  std::map<std::string, std::string> clients_;  // by alert
  std::map<std::string, std::string> keys_;     // alert by idempotency digest
};

}  // namespace tocsin
