// How and when an attempt in doubt is resolved (pure). R4
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/time.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin {

// When an attempt in doubt is looked up. Intervals double after the first lookup. The last lookup
// is made when the timeout of the priority expires; then the in-doubt policy decides.
struct InDoubtSchedule {
  Micros initial_delay = std::chrono::seconds(1);
  Micros emergency_timeout = std::chrono::seconds(15);
  Micros default_timeout = std::chrono::seconds(75);
  // Whether an SMS that the provider's list proves was never received is sent again, and how long
  // after it became in doubt the list is proof. See docs/decisions/0018.
  bool resend_absent = true;
  Micros absence_delay = std::chrono::minutes(10);
};

// Maximum difference between the provider's clock and ours. Its times are whole seconds.
constexpr Micros kProviderClockSkew = std::chrono::seconds(5);

// Complete readings of the provider's list without the attempt, the last one after absence_delay,
// that prove its absence.
constexpr std::int32_t kMinCompleteReads = 3;

// The list is read from this long before the POST for the proof of absence: more than any
// difference between the clocks.
constexpr Micros kAbsenceMargin = std::chrono::minutes(5);

// The first lookup of an attempt. `in_doubt`: its result with ATTEMPT_OUTCOME_IN_DOUBT.
records::v1::WorkRecord FirstLookup(const records::v1::WorkRecord& work,
                                    const records::v1::AttemptResult& in_doubt,
                                    const InDoubtSchedule& schedule);

// The next lookup after one that resolved nothing. A pure function of its arguments. `read_list`:
// the provider's list was read completely.
records::v1::WorkRecord NextLookup(const records::v1::WorkRecord& lookup,
                                   const InDoubtSchedule& schedule, bool read_list = false);

// Whether the attempt is sent again if the provider's list proves its absence: an SMS whose client
// requested no policy, if its alert does not expire before. `lookup` has a state in doubt.
bool ResendsIfAbsent(const records::v1::WorkRecord& lookup, const InDoubtSchedule& schedule);

// Whether a complete reading of the list at `read_time` that does not contain the attempt proves,
// with the readings before, that the provider never received it.
bool ProvesAbsence(const records::v1::WorkRecord& lookup, const InDoubtSchedule& schedule,
                   WallTime read_time);

// Whether the provider lists a number in the form in which it was dialed. It rewrites numbers of
// some countries, so that a list by number may lack a message.
bool IsListedAsDialed(std::string_view e164);

// When the in-doubt policy decides. An attempt that ResendsIfAbsent() is looked up for as long
// again after the list can prove its absence, because the list may be unavailable.
WallTime PolicyTime(const records::v1::WorkRecord& lookup, const InDoubtSchedule& schedule);

// Whether the policy is to resend: as the client requested, by default emergencies only.
bool Resends(const records::v1::WorkRecord& work);

// Attempts with the same key cannot be distinguished in the provider's list: same recipient and
// same text; for calls, which have no text there, same recipient and same sender. Raw bytes.
std::string DuplicateKey(const records::v1::WorkRecord& work);

// Which entries of the provider's list to read, by their creation times, both included. Of messages
// all since before the POST, because the proof of absence considers each of them.
struct ListedTimes {
  WallTime from;
  WallTime until;
};
ListedTimes TimesToList(const records::v1::WorkRecord& lookup, WallTime now);

// Whether a list entry created at `created` may be this attempt.
bool MayMatch(const records::v1::InDoubtState& in_doubt, WallTime created);

// Results that resolve an attempt: it was found in the provider's list as `sid`; or there is no
// proof and the policy decides.
records::v1::AttemptResult FoundInList(const records::v1::WorkRecord& lookup,
                                       const std::string& sid, WallTime created);
records::v1::AttemptResult UnresolvedByPolicy(const records::v1::WorkRecord& lookup,
                                              WallTime policy_time);

// The result of an attempt whose absence from the list is proven.
records::v1::AttemptResult AbsentFromList(const records::v1::WorkRecord& lookup,
                                          const InDoubtSchedule& schedule);

// The result that a callback proves for the attempt it names: the provider accepted it. Its status
// is that of the callback, but NO_ANSWER for a call that ended with a machine: it reached nobody,
// and another call may follow.
records::v1::AttemptResult ProvenByCallback(const records::v1::WebhookRecord& webhook);

// A callback showed that a person answered the call: by machine detection, or by a pressed key.
bool WasAnsweredByPerson(const records::v1::AttemptResult& result);

// Ended by the in-doubt policy, or by absence from the list. Late proof outranks it.
bool IsUnresolved(const records::v1::AttemptResult& result);

// The work record of the attempt as it was before it became in doubt.
records::v1::WorkRecord WithoutInDoubt(records::v1::WorkRecord work);

// How strongly a result is proven: of two results of one attempt the one with the stronger proof is
// kept. kCertain is never replaced.
enum class Proof {
  kCertain = 0,
  kInDoubt = 1,     // unresolved so far
  kUnresolved = 2,  // ended by policy, by absence from the list or without a POST, or never sent
  kList = 3,        // found in the list; which of several equal entries it is may be a guess
  kCallback = 4,    // a callback named the attempt
  kResponse = 5,    // the response to the POST
  kPerson = 6,      // a callback showed that a person answered the call
};
Proof ProofOf(const records::v1::AttemptResult& result);

}  // namespace tocsin
