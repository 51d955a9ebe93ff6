// How and when an attempt in doubt is resolved (pure). R4
#pragma once

#include <string>

#include "common/base/time.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin {

// When an attempt in doubt is looked up. Intervals double after the first lookup. The last lookup
// is made when the timeout of the priority expires; then the in-doubt policy decides.
struct InDoubtSchedule {
  Micros initial_delay = std::chrono::seconds(1);
  Micros emergency_timeout = std::chrono::seconds(15);
  Micros default_timeout = std::chrono::seconds(75);
};

// Maximum difference between the provider's clock and ours. Its times are whole seconds.
constexpr Micros kProviderClockSkew = std::chrono::seconds(5);

// The first lookup of an attempt. `in_doubt`: its result with ATTEMPT_OUTCOME_IN_DOUBT.
records::v1::WorkRecord FirstLookup(const records::v1::WorkRecord& work,
                                    const records::v1::AttemptResult& in_doubt,
                                    const InDoubtSchedule& schedule);

// The next lookup after one that resolved nothing. A pure function of the previous lookup.
records::v1::WorkRecord NextLookup(const records::v1::WorkRecord& lookup,
                                   const InDoubtSchedule& schedule);

// When the in-doubt policy decides.
WallTime PolicyTime(const records::v1::WorkRecord& lookup, const InDoubtSchedule& schedule);

// Whether the policy is to resend: as the client requested, by default emergencies only.
bool Resends(const records::v1::WorkRecord& work);

// Attempts with the same key cannot be distinguished in the provider's list: same recipient and
// same text; for calls, which have no text there, same recipient and same sender. Raw bytes.
std::string DuplicateKey(const records::v1::WorkRecord& work);

// Whether a list entry created at `created` may be this attempt.
bool MayMatch(const records::v1::InDoubtState& in_doubt, WallTime created);

// Results that resolve an attempt: it was found in the provider's list as `sid`; or there is no
// proof and the policy decides.
records::v1::AttemptResult FoundInList(const records::v1::WorkRecord& lookup,
                                       const std::string& sid, WallTime created);
records::v1::AttemptResult UnresolvedByPolicy(const records::v1::WorkRecord& lookup,
                                              WallTime policy_time);

// The result that a callback proves for the attempt it names: the provider accepted it.
records::v1::AttemptResult ProvenByCallback(const records::v1::WebhookRecord& webhook);

// Ended by the in-doubt policy without proof. Late proof outranks it.
bool IsUnresolved(const records::v1::AttemptResult& result);

// The work record of the attempt as it was before it became in doubt.
records::v1::WorkRecord WithoutInDoubt(records::v1::WorkRecord work);

// How strongly a result is proven: of two results of one attempt the one with the stronger proof is
// kept. kCertain is never replaced.
enum class Proof {
  kCertain = 0,
  kInDoubt = 1,     // unresolved so far
  kUnresolved = 2,  // ended by policy, or reported as never sent
  kList = 3,        // found in the list; which of several equal entries it is may be a guess
  kCallback = 4,    // a callback named the attempt
  kResponse = 5,    // the response to the POST
};
Proof ProofOf(const records::v1::AttemptResult& result);

}  // namespace tocsin
