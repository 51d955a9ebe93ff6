// The contract of Claims::Resolve(), with the worlds of ClaimsContract. R4
#pragma once

#include <string>
#include <vector>

#include "tests/common/ports/claims_contract.h"

namespace tocsin {

template <typename World>
class ResolutionContract : public ClaimsContract<World> {
 protected:
  v1::AttemptRef AnInDoubtAttempt(const std::string& duplicate_key) {
    ClaimRequest request = this->ARequest(this->AnAttempt());
    request.duplicate_key = duplicate_key;
    this->SaveResult(request.attempt, this->Claim(request).fence,
                     this->AnAttemptResult(records::v1::ATTEMPT_OUTCOME_IN_DOUBT));
    return request.attempt;
  }
  static records::v1::AttemptResult Listed(const std::string& sid) {
    records::v1::AttemptResult result = ResolutionContract::Accepted(sid);
    result.set_resolved_by(v1::RESOLVED_BY_LIST);
    return result;
  }
  static records::v1::AttemptResult Absent() {
    records::v1::AttemptResult result = ResolutionContract::Unresolved();
    result.set_reason("NOT_RECEIVED");
    result.set_resolved_by(v1::RESOLVED_BY_LIST_ABSENCE);
    return result;
  }
  // Resolves with a list that may prove absence: it contains `sids`, and none matches. Returns the
  // reason of the result, "" while the attempt stays in doubt.
  std::string ResolveAbsent(const v1::AttemptRef& attempt, const std::vector<std::string>& sids,
                            bool after_timeout = false) {
    ResolveRequest request{.attempt = attempt,
                           .duplicate_key = "a recipient",
                           .found = {},
                           .unresolved = {},
                           .expire_time = SystemClock().Now() + std::chrono::hours(1),
                           .absent = Absent(),
                           .listed_sids = sids};
    if (after_timeout) request.unresolved = this->Unresolved();
    const auto resolved = this->Wait(this->world.claims().Resolve(request));
    EXPECT_TRUE(resolved) << resolved.error().message;
    return resolved && *resolved ? (*resolved)->reason() : "";
  }
  // Returns the SID that resolves the attempt, "" while it stays in doubt, or "policy".
  std::string Resolve(const v1::AttemptRef& attempt, const std::string& duplicate_key,
                      const std::vector<std::string>& sids, bool after_timeout = false) {
    ResolveRequest request{.attempt = attempt,
                           .duplicate_key = duplicate_key,
                           .found = {},
                           .unresolved = {},
                           .expire_time = SystemClock().Now() + std::chrono::hours(1)};
    for (const std::string& sid : sids) request.found.push_back(Listed(sid));
    if (after_timeout) request.unresolved = this->Unresolved();
    const auto resolved = this->Wait(this->world.claims().Resolve(request));
    EXPECT_TRUE(resolved) << resolved.error().message;
    if (!resolved || !*resolved) return "";
    return (*resolved)->provider_sid().empty() ? "policy" : (*resolved)->provider_sid();
  }
};

TYPED_TEST_SUITE_P(ResolutionContract);

TYPED_TEST_P(ResolutionContract, LeavesAnAttemptInDoubtUntilThereIsProof) {  // R4
  const std::string duplicate_key = this->ASid();
  const v1::AttemptRef attempt = this->AnInDoubtAttempt(duplicate_key);
  EXPECT_EQ(this->Resolve(attempt, duplicate_key, {}), "");
  const std::string sid = this->ASid();
  EXPECT_EQ(this->Resolve(attempt, duplicate_key, {sid}), sid);
  EXPECT_EQ(this->Resolve(attempt, duplicate_key, {this->ASid()}), sid);  // it is final
  EXPECT_EQ(this->Claim(this->ARequest(attempt)).result->provider_sid(), sid);
}

TYPED_TEST_P(ResolutionContract, EndsAsUnresolvedAfterTheTimeoutAndAcceptsLateProof) {  // R4
  const std::string duplicate_key = this->ASid();
  const v1::AttemptRef attempt = this->AnInDoubtAttempt(duplicate_key);
  EXPECT_EQ(this->Resolve(attempt, duplicate_key, {}, true), "policy");
  EXPECT_EQ(this->Resolve(attempt, duplicate_key, {this->ASid()}), "policy");
  const std::string sid = this->ASid();
  EXPECT_EQ(this->SaveResult(attempt, kNoFence, this->Accepted(sid))->provider_sid(), sid);
}

TYPED_TEST_P(ResolutionContract, DistributesEntriesAmongDuplicatesByCount) {  // R4
  const std::string duplicate_key = this->ASid();
  const std::string first = this->ASid();
  const std::string second = this->ASid();
  const v1::AttemptRef one = this->AnInDoubtAttempt(duplicate_key);
  const v1::AttemptRef two = this->AnInDoubtAttempt(duplicate_key);
  EXPECT_EQ(this->Resolve(one, duplicate_key, {first}), "");
  EXPECT_EQ(this->Resolve(one, duplicate_key, {first, second}), first);
  EXPECT_EQ(this->Resolve(two, duplicate_key, {first, second}), second);
}

TYPED_TEST_P(ResolutionContract, AssignsAScarceEntryToOneDuplicateAfterTheTimeout) {  // R4
  const std::string duplicate_key = this->ASid();
  const std::string sid = this->ASid();
  const v1::AttemptRef one = this->AnInDoubtAttempt(duplicate_key);
  const v1::AttemptRef two = this->AnInDoubtAttempt(duplicate_key);
  EXPECT_EQ(this->Resolve(one, duplicate_key, {sid}, true), sid);
  EXPECT_EQ(this->Resolve(two, duplicate_key, {sid}, true), "policy");
}

TYPED_TEST_P(ResolutionContract, AssignsNoEntryWhileADuplicateMayBePosting) {  // R4
  const std::string duplicate_key = this->ASid();
  const std::string sid = this->ASid();
  const v1::AttemptRef attempt = this->AnInDoubtAttempt(duplicate_key);
  ClaimRequest duplicate = this->ARequest(this->AnAttempt());
  duplicate.duplicate_key = duplicate_key;
  const ClaimReply claim = this->Claim(duplicate);
  EXPECT_EQ(this->Resolve(attempt, duplicate_key, {sid}), "");
  this->SaveResult(duplicate.attempt, claim.fence, this->Accepted(this->ASid()));
  EXPECT_EQ(this->Resolve(attempt, duplicate_key, {sid}), sid);
}

TYPED_TEST_P(ResolutionContract, NeverAssignsAnEntryOfAnotherAttempt) {  // R4
  const std::string duplicate_key = this->ASid();
  const std::string sid = this->ASid();
  const v1::AttemptRef owner = this->AnAttempt();
  this->SaveResult(owner, this->Claim(this->ARequest(owner)).fence, this->Accepted(sid));
  const v1::AttemptRef attempt = this->AnInDoubtAttempt(duplicate_key);
  EXPECT_EQ(this->Resolve(attempt, duplicate_key, {sid}), "");
  EXPECT_EQ(this->Resolve(attempt, duplicate_key, {sid}, true), "policy");
}

TYPED_TEST_P(ResolutionContract, MovesAnEntryFromTheListToTheAttemptThatIsNamed) {  // R4
  const std::string duplicate_key = this->ASid();
  const std::string sid = this->ASid();
  const v1::AttemptRef one = this->AnInDoubtAttempt(duplicate_key);
  const v1::AttemptRef two = this->AnInDoubtAttempt(duplicate_key);
  EXPECT_EQ(this->Resolve(one, duplicate_key, {sid}, true), sid);
  EXPECT_EQ(this->SaveResult(two, kNoFence, this->Accepted(sid))->provider_sid(), sid);
  const std::string own = this->ASid();
  EXPECT_EQ(this->SaveResult(one, kNoFence, this->Accepted(own))->provider_sid(), own);
}

TYPED_TEST_P(ResolutionContract, EndsAsAbsentWhenEveryListedMessageBelongsToAnotherAttempt) {  // R4
  const v1::AttemptRef empty_list = this->AnInDoubtAttempt(this->ASid());
  EXPECT_EQ(this->ResolveAbsent(empty_list, {}), "NOT_RECEIVED");
  const std::string sid = this->ASid();
  this->SaveResult(this->AnAttempt(), kNoFence, this->Accepted(sid));
  const v1::AttemptRef attempt = this->AnInDoubtAttempt(this->ASid());
  EXPECT_EQ(this->ResolveAbsent(attempt, {sid}), "NOT_RECEIVED");
  EXPECT_EQ(this->ResolveAbsent(attempt, {this->ASid()}), "NOT_RECEIVED");  // it is final
}

TYPED_TEST_P(ResolutionContract, DoesNotEndAsAbsentWhileAListedMessageMayBeTheAttempt) {  // R4
  const v1::AttemptRef attempt = this->AnInDoubtAttempt(this->ASid());
  EXPECT_EQ(this->ResolveAbsent(attempt, {this->ASid()}), "");  // of no known attempt
  const std::string duplicate_key = this->ASid();
  const std::string guessed = this->ASid();
  const v1::AttemptRef duplicate = this->AnInDoubtAttempt(duplicate_key);
  ASSERT_EQ(this->Resolve(duplicate, duplicate_key, {guessed}), guessed);
  EXPECT_EQ(this->ResolveAbsent(attempt, {guessed}), "");
  EXPECT_EQ(this->ResolveAbsent(attempt, {guessed}, true), "IN_DOUBT");
}

TYPED_TEST_P(ResolutionContract, AcceptsLateProofForAnAbsentAttempt) {  // R4
  const v1::AttemptRef attempt = this->AnInDoubtAttempt(this->ASid());
  ASSERT_EQ(this->ResolveAbsent(attempt, {}), "NOT_RECEIVED");
  const std::string sid = this->ASid();
  EXPECT_EQ(this->SaveResult(attempt, kNoFence, this->Accepted(sid))->provider_sid(), sid);
}

REGISTER_TYPED_TEST_SUITE_P(
    ResolutionContract, LeavesAnAttemptInDoubtUntilThereIsProof,
    EndsAsUnresolvedAfterTheTimeoutAndAcceptsLateProof, DistributesEntriesAmongDuplicatesByCount,
    AssignsAScarceEntryToOneDuplicateAfterTheTimeout, AssignsNoEntryWhileADuplicateMayBePosting,
    NeverAssignsAnEntryOfAnotherAttempt, MovesAnEntryFromTheListToTheAttemptThatIsNamed,
    EndsAsAbsentWhenEveryListedMessageBelongsToAnotherAttempt,
    DoesNotEndAsAbsentWhileAListedMessageMayBeTheAttempt, AcceptsLateProofForAnAbsentAttempt);

}  // namespace tocsin
