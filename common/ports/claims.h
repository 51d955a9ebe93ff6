// Claims on attempts and their results, shared by all replicas. Stored in Redis.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/async/task.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/domain/delivery/known_attempt.h"
#include "common/domain/plan/plan.h"
#include "common/ports/accepted_alert.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin {

// The fence of a caller that holds no claim of the store.
constexpr std::uint64_t kNoFence = 0;

// The code in a text message, and who received it.
struct AckCode {
  std::string recipient_token;
  std::string code;
};

// A request to make one attempt, or to end it without a POST.
struct ClaimRequest {
  v1::AttemptRef attempt;
  std::string client_id;
  std::string owner;  // this process; shown to operators
  Micros lease{};     // POST timeout and 5 s
  // Present when a rule ends the attempt before its POST. Stored unless the attempt has started.
  std::optional<records::v1::AttemptResult> not_attempted;
  std::string work;                // the serialized work record, for FindWork() and reconciliation
  std::string duplicate_key = {};  // DuplicateKey(work)
  WallTime expire_time;            // state is kept until 48 h later
  // Present if a reply with this code acknowledges the alert: FindAckCode() finds it from now on.
  std::optional<AckCode> ack_code = {};
  // From the record that accepted the alert with an idempotency key. The claim assigns the key to
  // this alert unless another alert that was accepted or claimed has it.
  std::optional<AcceptedAlert> accepted = {};
  // Present for a target of a plan.
  std::optional<PlanCondition> plan = {};
};

struct ClaimReply {
  enum class State {
    kGranted,  // the caller holds the claim until the lease expires
    kDone,     // the attempt has a result
    kBusy,     // another caller holds the claim for `lease_left`
    kLapsed,   // the lease expired without a result: the attempt is in doubt
    kStopped,  // before this attempt started, the alert was cancelled or acknowledged, its
               // idempotency key was found to belong to another alert, or its plan stops this
               // target
    kEarly,    // the step of the plan starts in `lease_left`
  };
  State state = State::kBusy;
  std::uint64_t fence = kNoFence;                         // identifies this claim
  WallTime begin_time;                                    // of the claim, by the store's clock
  Micros lease_left{};                                    // kBusy, kEarly
  std::optional<records::v1::AttemptResult> result = {};  // kDone, kStopped
};

// The findings of one lookup of an attempt in doubt.
struct ResolveRequest {
  v1::AttemptRef attempt;
  std::string duplicate_key = {};                 // as in ClaimRequest
  std::vector<records::v1::AttemptResult> found;  // ACCEPTED: one per listed entry that may match
  std::optional<records::v1::AttemptResult>
      unresolved;        // present when the in-doubt timeout is over
  WallTime expire_time;  // state is kept until 48 h later
  // Present when a complete list proves that the provider does not have the attempt, provided that
  // each of its entries, `listed_sids`, belongs to another attempt.
  std::optional<records::v1::AttemptResult> absent = {};
  std::vector<std::string> listed_sids = {};
};

// A plan after its deadline.
struct PlanEnd {
  enum class State { kGoalReached, kGoalMissed, kCancelled };
  State state = State::kGoalMissed;
  std::vector<StoredAcknowledgement> acknowledgements = {};  // kGoalReached: by persons
};

// Requests, each bounded by the store's timeout (1 s); many may be in progress. Used on the loop's
// thread. Arguments must outlive the task. All fail with kRedisUnavailable when the store does not
// respond, is not the one this process started with, or has lost its data.
class Claims {
 public:
  virtual ~Claims() = default;

  // A started attempt keeps its state; `not_attempted` is stored only if the attempt never started.
  // An acceptance replaces it: another worker may have started the attempt by the log.
  virtual Task<Result<ClaimReply>> Claim(const ClaimRequest& request) = 0;

  // Releases the claim: its POST certainly did not start. No effect unless `fence` holds the claim.
  virtual Task<Status> Release(const v1::AttemptRef& attempt, std::uint64_t fence) = 0;

  // Stores the result. ACCEPTED is stored under any fence and replaces weaker proof (ProofOf);
  // other results are stored only if the attempt has none. A SID belongs to one attempt; if it was
  // assigned from a list, it moves to the attempt that a callback or a response names. Returns the
  // result that is stored afterwards, nothing if there is none (the attempt was released, or
  // another caller holds the claim). Fails with kDataCorrupted if the SID belongs to another
  // attempt.
  virtual Task<Result<std::optional<records::v1::AttemptResult>>> SaveResult(
      const v1::AttemptRef& attempt, std::uint64_t fence,
      const records::v1::AttemptResult& result) = 0;

  // Resolves an attempt in doubt; returns nothing while it stays in doubt. A stored result is
  // returned as it is. Entries that belong to no attempt are distributed among all attempts in
  // doubt with the same `duplicate_key`: while there are fewer entries than such attempts, or a
  // POST of one of them is in progress, none is assigned before the timeout. After it, the first
  // caller gets an entry that is left, and the others end as `unresolved`. Without an entry for it,
  // the attempt ends as `absent` if each of `listed_sids` belongs to another attempt, as a callback
  // or a response proves.
  virtual Task<Result<std::optional<records::v1::AttemptResult>>> Resolve(
      const ResolveRequest& request) = 0;

  // Merges what the log knows of an attempt or its alert: what happened while the store was
  // unavailable. Weaker proof never replaces a stored result.
  virtual Task<Status> Sync(const KnownAttempt& known) = 0;

  // The work record stored by the claim on the step's newest attempt; nothing if that is another
  // attempt.
  virtual Task<Result<std::optional<std::string>>> FindWork(const v1::AttemptRef& attempt) = 0;

  // The attempt failed after its acceptance, as reported at `time`; nullopt: so it was reported,
  // but a person had answered. Returns what was noted first. What follows is decided by that: a
  // repeated report decides the same.
  virtual Task<Result<std::optional<WallTime>>> NoteUndelivered(const v1::AttemptRef& attempt,
                                                                std::optional<WallTime> time) = 0;

  // The target of a plan has failed: the next step may start before its wait is over. If all of
  // `last_targets` (LastTargetsOf) have failed and the alert has not ended, returns when this was
  // noted first: no step of the plan is left.
  virtual Task<Result<std::optional<WallTime>>> NoteTargetFailed(
      const v1::AttemptRef& attempt, const std::vector<std::int32_t>& last_targets,
      WallTime time) = 0;

  // The deadline of the plan is over: ends the alert unless its goal is reached. Then no further
  // attempt starts.
  virtual Task<Result<PlanEnd>> EndPlan(const v1::AttemptRef& attempt, const PlanCondition& plan,
                                        WallTime deadline) = 0;

  // The accepted calls without a final status that the plan of the alert does not need any more:
  // all if its goal is reached, else those to persons who have acknowledged or declined. Messages
  // are not among them.
  virtual Task<Result<std::vector<records::v1::AttemptResult>>> FindCallsToEnd(
      const std::string& alert_id) = 0;

  // Succeeds if the store responds, accepts writes and has not lost its data.
  virtual Task<Status> Ping() = 0;

  // The store knows every attempt whose work was published since this time (EarliestEventTime()).
  // An older attempt may have started without the store knowing it, so its work waits. Never
  // blocks.
  virtual WallTime CompleteSince() const = 0;
};

// Reserves times at a rate (GCRA), shared by all replicas.
class Pacer {
 public:
  virtual ~Pacer() = default;

  // Returns the time at which `units` may be sent under `key` (a sender or an account). Reserves it
  // unless it is after `latest`. A time that is not in the future means now. Is bounded and fails
  // as Claims; kInvalidArgument unless the rate is positive and finite. 0 units count as 1.
  virtual Task<Result<WallTime>> Reserve(const std::string& key, double units_per_second,
                                         std::int32_t units, WallTime latest) = 0;
};

}  // namespace tocsin
