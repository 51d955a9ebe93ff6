// Injected faults, and bugs that are planted to test the checker.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "tests/model/timeline.h"

namespace tocsin::model {

// The longest lag of the provider's list that docs/decisions/0018 allows for.
constexpr Micros kLongestListLag = std::chrono::minutes(5);

// Rates of one run, drawn from its seed. Each kind is zero in half of the runs, so that many
// combinations occur.
struct Faults {
  double crash = 0;         // of a process, when it uses a port
  double freeze = 0;        // of a process, when it uses a port
  double publish_lost = 0;  // certainly not in the log
  double publish_unknown = 0;
  double store_silent = 0;    // a request to the claim store times out; half are executed
  double store_late = 0;      // a copy is executed again, up to a minute later
  double store_replaced = 0;  // per run: an empty store responds for a while
  double refused = 0;
  double rate_limited = 0;
  double not_sent = 0;
  double reset_before = 0;  // in doubt, not accepted
  double reset_after = 0;   // in doubt, accepted
  double timed_out = 0;     // at the POST timeout; half are accepted
  double callback_lost = 0;
  double callback_doubled = 0;
  double callback_late = 0;  // by up to ten minutes
  double response_lost = 0;  // of the ingress to the provider, which repeats its request
  double undelivered = 0;
  double list_unavailable = 0;
  double list_lags = 0;         // recent entries are missing
  Micros longest_list_lag{};    // of a run; also after the faults
  double enqueue_repeated = 0;  // the client got no response and retried

  static Faults Draw(Dice& dice);
};

// Bugs in the simulated parts around the production classes.
enum class Bug {
  kNone,
  kNoClaim,                  // every claim is granted
  kNoFence,                  // a release ignores the holder
  kLapsedClaimGrantedAgain,  // a lapsed claim is granted again
  kNoEpoch,                  // a replaced store is used
  kNoAwaitedReport,          // a publish returns before its report
  kOffsetStoredEarly,        // a record is finished before it is delivered
  kDelayQueueFinishesEarly,
  kDelayQueueMovesEarly,
  kIgnoresDueTime,
  kIgnoresExpireTime,
  kResultNotSaved,
  kRetryKeepsNumber,          // a retry has the number of the attempt before
  kInDoubtReportedAsNotSent,  // a connection reset counts as not sent
  kProviderPostsTwice,        // the HTTP client repeats a POST after a reset
  kCallbackIgnored,           // a callback is not published
  kMarkIgnored,               // a cancel is not stored
  kLogNotRead,                // without the store, every start counts
  kEarlierStartsNotRead,      // the store alone decides what a cancellation reports
  kEndIsCertain,              // an acceptance does not replace an end without a POST
  kLapsedClaimNotChecked,     // a lapsed claim counts as never started
  kAbsenceBelievedAtOnce,     // an attempt that the first list lacks counts as never received
  // Of calls.
  kCallsNotCounted,                    // each call counts as the first one
  kCallRepeatedAtOnce,                 // the delay until the next call is ignored
  kAnsweredByIgnored,                  // a machine that answered counts as a person
  kEveryKeyAcknowledges,               // also a key without a meaning
  kKeyNotSaved,                        // that a person answered is not stored
  kConfirmedBeforePublished,           // the ingress responds before its records are in the log
  kAcknowledgementNotStored,           // the alert is not marked
  kAcknowledgedCallGranted,            // the mark does not stop the next call
  kCompletedOverridesAcknowledgement,  // a call that is completed later ends the alert
  // Of plans.
  kPersonIgnored,         // a person who acknowledged or declined is contacted again
  kStepStartsEarly,       // an early claim is granted
  kGoalIgnored,           // a claim is granted after a delivery or a person reached the goal
  kDeadlineIgnored,       // an attempt has a later deadline, and the store does not stop it
  kDeadlineNotPublished,  // the record that ends the plan
  kNextStepNotPublished,  // neither at the start of a step nor after its failure
  kFailureFollowsStart,   // a target that has started counts as failed at once
  kQuorumCountsPresses,   // of one person, instead of persons
  kGoalAlwaysMissed,      // the end of the plan does not check whether the goal is reached
  kEveryCallEnded,        // also those that the plan needs
  kEachReportDecides,     // a failure that is reported again is decided anew
};
inline constexpr std::array kBugs = std::to_array<std::pair<Bug, std::string_view>>({
    {Bug::kNoClaim, "no_claim"},
    {Bug::kNoFence, "no_fence"},
    {Bug::kLapsedClaimGrantedAgain, "lapsed_claim_granted_again"},
    {Bug::kNoEpoch, "no_epoch"},
    {Bug::kNoAwaitedReport, "no_awaited_report"},
    {Bug::kOffsetStoredEarly, "offset_stored_early"},
    {Bug::kDelayQueueFinishesEarly, "delay_queue_finishes_early"},
    {Bug::kDelayQueueMovesEarly, "delay_queue_moves_early"},
    {Bug::kIgnoresDueTime, "ignores_due_time"},
    {Bug::kIgnoresExpireTime, "ignores_expire_time"},
    {Bug::kResultNotSaved, "result_not_saved"},
    {Bug::kRetryKeepsNumber, "retry_keeps_number"},
    {Bug::kInDoubtReportedAsNotSent, "in_doubt_reported_as_not_sent"},
    {Bug::kProviderPostsTwice, "provider_posts_twice"},
    {Bug::kCallbackIgnored, "callback_ignored"},
    {Bug::kMarkIgnored, "mark_ignored"},
    {Bug::kLogNotRead, "log_not_read"},
    {Bug::kEarlierStartsNotRead, "earlier_starts_not_read"},
    {Bug::kEndIsCertain, "end_is_certain"},
    {Bug::kLapsedClaimNotChecked, "lapsed_claim_not_checked"},
    {Bug::kAbsenceBelievedAtOnce, "absence_believed_at_once"},
    {Bug::kCallsNotCounted, "calls_not_counted"},
    {Bug::kCallRepeatedAtOnce, "call_repeated_at_once"},
    {Bug::kAnsweredByIgnored, "answered_by_ignored"},
    {Bug::kEveryKeyAcknowledges, "every_key_acknowledges"},
    {Bug::kKeyNotSaved, "key_not_saved"},
    {Bug::kConfirmedBeforePublished, "confirmed_before_published"},
    {Bug::kAcknowledgementNotStored, "acknowledgement_not_stored"},
    {Bug::kAcknowledgedCallGranted, "acknowledged_call_granted"},
    {Bug::kCompletedOverridesAcknowledgement, "completed_overrides_acknowledgement"},
    {Bug::kPersonIgnored, "person_ignored"},
    {Bug::kStepStartsEarly, "step_starts_early"},
    {Bug::kGoalIgnored, "goal_ignored"},
    {Bug::kDeadlineIgnored, "deadline_ignored"},
    {Bug::kDeadlineNotPublished, "deadline_not_published"},
    {Bug::kNextStepNotPublished, "next_step_not_published"},
    {Bug::kFailureFollowsStart, "failure_follows_start"},
    {Bug::kQuorumCountsPresses, "quorum_counts_presses"},
    {Bug::kGoalAlwaysMissed, "goal_always_missed"},
    {Bug::kEveryCallEnded, "every_call_ended"},
    {Bug::kEachReportDecides, "each_report_decides"},
});

}  // namespace tocsin::model
