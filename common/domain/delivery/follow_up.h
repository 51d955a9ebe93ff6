// What follows from the result of an attempt (pure). R2
#pragma once

#include <optional>
#include <vector>

#include "common/domain/delivery/backoff.h"
#include "common/domain/delivery/call_retry.h"
#include "common/domain/delivery/in_doubt.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin {

// How an attempt is retried.
struct RetryPolicy {
  BackoffPolicy backoff{};  // metered retries
  BackoffPolicy rate{.base = std::chrono::milliseconds(100),
                     .cap = std::chrono::seconds(30)};  // after a rate limit or a full queue
  BackoffPolicy unreachable{.base = std::chrono::seconds(1),
                            .cap = std::chrono::minutes(1)};  // after an unreachable provider
  BackoffPolicy delivery{.base = std::chrono::minutes(1)};    // after a failed delivery
  InDoubtSchedule in_doubt{};
  CallRetryPolicy calls{};  // after a call that reached nobody
};

// Everything to publish before the offset of the work record is stored.
struct FollowUp {
  std::vector<records::v1::Event> events;
  std::optional<records::v1::WorkRecord> next_work;   // the next attempt or lookup
  std::optional<records::v1::DeadLetterRecord> dead;  // without position
  std::optional<records::v1::ConsentRecord> consent;
  bool target_failed = false;  // of a plan: no attempt of this target follows
  std::vector<records::v1::WorkRecord> plan_work = {};  // what then follows in the plan
};

// A pure function of work record, result and policy: a repetition gives identical bytes.
//   accepted        SENT
//   refused         by error class: an opt-out is SUPPRESSED and published as a consent; a
//                   full queue is retried unmetered; account errors are retried within the
//                   budget; others are FAILED
//   rate limited    retried unmetered, never before Retry-After
//   not sent        retried unmetered: Twilio could not be reached
//   in doubt        IN_DOUBT and a first lookup; a blind resend could reach the recipient twice
//   not attempted   the final status that the rules determined
//   unresolved      FAILED(IN_DOUBT); resent if the policy is to resend, within the budget.
//                   Absent from the provider's list: FAILED(NOT_RECEIVED), sent again unmetered
// No retry is due after the expire time of the alert: otherwise the attempt is the last one. An
// attempt that reached Twilio and is not retried becomes a dead letter. The last failed attempt of
// a plan's target begins the next step (plan.h).
FollowUp Decide(const records::v1::WorkRecord& work, const records::v1::AttemptResult& result,
                const RetryPolicy& policy, std::string_view sender_address);

// Whether a callback reports a failure that may be retried: by its error class, or a call that
// reached nobody (see UnreachedBy).
bool IsRetryable(const records::v1::WebhookRecord& callback);

// Whether a person answered the call although its callback reports a machine: `stored`, the result
// of the attempt, shows that a key was pressed. Then no other call follows; a plan continues.
bool IsPersonTakenForMachine(const records::v1::AttemptResult& stored,
                             const records::v1::WebhookRecord& callback);

// What follows from such a failure: the next attempt within the budget, or the next call within the
// maximum number of calls, and before the expire time; otherwise a dead letter. A last call that a
// machine answered leaves no dead letter. `work` is the work record of the attempt that the
// callback names.
FollowUp DecideAfterUndelivered(const records::v1::WorkRecord& work,
                                const records::v1::WebhookRecord& callback,
                                const RetryPolicy& policy);

// What follows in the plan when a callback shows that the target has failed, and no other attempt
// follows: the failure cannot be retried, or the call has ended without an acknowledgement. Without
// events.
FollowUp DecideAfterLastCallback(const records::v1::WorkRecord& work,
                                 const records::v1::WebhookRecord& callback);

// The event published before the POST of an attempt starts.
records::v1::Event AttemptStarted(const records::v1::WorkRecord& work, std::int64_t begin_time_us,
                                  std::int64_t lease_expire_time_us, std::string_view sender_id,
                                  std::string_view account_sid);

}  // namespace tocsin
