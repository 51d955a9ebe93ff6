// What every Claims must do. A world makes one and says what the port cannot:
//   Claims& claims();
//   void Mark(const std::string& alert_id, const std::string& reason);  // CANCELLED, ACKNOWLEDGED
//   void LoseMemory();
//   void Pass(Micros lease, std::function<bool()> over);  // until `over`; the lease bounds it
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "common/base/digest.h"
#include "common/base/uuid.h"
#include "common/ports/claims.h"
#include "common/ports/clock.h"

namespace tocsin {

template <typename World>
class ClaimsContract : public ::testing::Test {
 protected:
  static constexpr Micros kLongLease = std::chrono::seconds(35);
  static constexpr Micros kShortLease = std::chrono::milliseconds(30);

  static v1::TryName AName(std::uint32_t step = 1, std::uint32_t count = 1) {
    v1::TryName name;
    name.set_alert_id(MakeUuidV5(RandomBytes(16)));
    name.set_step(step);
    name.set_try_(count);
    return name;
  }
  static ClaimRequest ARequest(const v1::TryName& name, Micros lease = kLongLease) {
    return {.name = name,
            .client_id = "client",
            .owner = "worker-1/7",
            .lease = lease,
            .end = {},
            .work = AWork(name),
            .twins = "a person, a text " + name.alert_id(),
            .not_after = SystemClock().Now() + std::chrono::hours(1)};
  }
  static std::string AWork(const v1::TryName& name) {
    v1::WorkRecord work;
    *work.mutable_try_() = name;
    work.set_body_digest(std::string("sealed\0work", 11));
    return work.SerializeAsString();
  }
  // A try that is in doubt.
  v1::TryName ADoubt(const std::string& twins) {
    ClaimRequest request = ARequest(AName());
    request.twins = twins;
    Keep(request.name, Take(request).fence, AReceipt(v1::RECEIPT_OUTCOME_IN_DOUBT));
    return request.name;
  }
  static v1::Receipt Listed(const std::string& sid) {
    v1::Receipt receipt = Accepted(sid);
    receipt.set_settled_by("list");
    return receipt;
  }
  static v1::Receipt Unproven() {
    v1::Receipt receipt = AReceipt(v1::RECEIPT_OUTCOME_ENDED);
    receipt.set_status(v1::TRY_STATUS_FAILED);
    receipt.set_reason("IN_DOUBT");
    receipt.set_settled_by("policy");
    return receipt;
  }
  // The SID it is settled by, "" while it stays open, "policy".
  std::string Settle(const v1::TryName& name, const std::string& twins,
                     const std::vector<std::string>& sids, bool time_is_up = false) {
    DoubtRequest request{.name = name,
                         .twins = twins,
                         .found = {},
                         .unproven = {},
                         .not_after = SystemClock().Now() + std::chrono::hours(1)};
    for (const std::string& sid : sids) request.found.push_back(Listed(sid));
    if (time_is_up) request.unproven = Unproven();
    const auto settled = world.claims().Settle(request);
    EXPECT_TRUE(settled) << settled.error().message;
    if (!settled || !*settled) return "";
    return (*settled)->provider_sid().empty() ? "policy" : (*settled)->provider_sid();
  }
  static v1::Receipt AReceipt(v1::ReceiptOutcome outcome, const std::string& sid = {}) {
    v1::Receipt receipt;
    receipt.set_outcome(outcome);
    receipt.set_provider_sid(sid);
    receipt.set_began_us(1'767'225'600'000'001);
    return receipt;
  }
  static v1::Receipt Accepted(const std::string& sid) {
    return AReceipt(v1::RECEIPT_OUTCOME_ACCEPTED, sid);
  }
  static std::string ASid() { return "SM" + MakeUuidV5(RandomBytes(16)); }

  Claim Take(const ClaimRequest& request) {
    auto claim = world.claims().Take(request);
    EXPECT_TRUE(claim) << claim.error().message;
    return claim ? *claim : Claim();
  }
  v1::Receipt Keep(const v1::TryName& name, std::uint64_t fence, const v1::Receipt& receipt) {
    auto kept = world.claims().Keep(name, fence, receipt);
    EXPECT_TRUE(kept) << kept.error().message;
    return kept ? *kept : v1::Receipt();
  }
  void Lapse(const ClaimRequest& request) {
    world.Pass(request.lease, [&] { return Take(request).state == Claim::State::kLapsed; });
  }

  World world;
};

TYPED_TEST_SUITE_P(ClaimsContract);

TYPED_TEST_P(ClaimsContract, GrantsANewTryOnceAndThenSaysBusy) {
  const ClaimRequest request = this->ARequest(this->AName());
  const Claim first = this->Take(request);
  EXPECT_EQ(first.state, Claim::State::kGranted);
  EXPECT_GT(first.fence, 0u);
  const Claim second = this->Take(request);
  EXPECT_EQ(second.state, Claim::State::kBusy);
  EXPECT_GT(second.lease_left.count(), 0);
  EXPECT_LE(second.lease_left, request.lease);
  EXPECT_EQ(second.began, first.began);
}

TYPED_TEST_P(ClaimsContract, GrantsOneOfManyOwnersRacing) {
  constexpr int kOwners = 8;
  for (int round = 0; round < 20; ++round) {
    const ClaimRequest request = this->ARequest(this->AName());
    std::atomic<int> granted = 0;
    std::vector<std::thread> owners;
    for (int i = 0; i < kOwners; ++i)
      owners.emplace_back(
          [&] { granted += this->Take(request).state == Claim::State::kGranted ? 1 : 0; });
    for (std::thread& owner : owners) owner.join();
    EXPECT_EQ(granted, 1);
  }
}

TYPED_TEST_P(ClaimsContract, CallsATryLapsedWhenItsLeaseIsOverAndGrantsItToNobody) {
  const ClaimRequest request = this->ARequest(this->AName(), this->kShortLease);
  const Claim first = this->Take(request);
  this->Lapse(request);
  const Claim later = this->Take(request);
  EXPECT_EQ(later.state, Claim::State::kLapsed);
  EXPECT_EQ(later.fence, first.fence);
  EXPECT_EQ(later.began, first.began);
}

TYPED_TEST_P(ClaimsContract, GrantsAReleasedTryAgainUnderAHigherFence) {
  const ClaimRequest request = this->ARequest(this->AName());
  const Claim first = this->Take(request);
  EXPECT_TRUE(this->world.claims().Release(request.name, first.fence));
  const Claim second = this->Take(request);
  EXPECT_EQ(second.state, Claim::State::kGranted);
  EXPECT_GT(second.fence, first.fence);
}

TYPED_TEST_P(ClaimsContract, IgnoresAReleaseUnderAnOldFence) {
  const ClaimRequest request = this->ARequest(this->AName());
  const Claim first = this->Take(request);
  EXPECT_TRUE(this->world.claims().Release(request.name, first.fence));
  this->Take(request);
  EXPECT_TRUE(this->world.claims().Release(request.name, first.fence));
  EXPECT_EQ(this->Take(request).state, Claim::State::kBusy);
}

TYPED_TEST_P(ClaimsContract, IgnoresAReleaseAfterTheOutcome) {
  const ClaimRequest request = this->ARequest(this->AName());
  const Claim claim = this->Take(request);
  this->Keep(request.name, claim.fence, this->Accepted(this->ASid()));
  EXPECT_TRUE(this->world.claims().Release(request.name, claim.fence));
  EXPECT_EQ(this->Take(request).state, Claim::State::kDone);
}

TYPED_TEST_P(ClaimsContract, GivesTheReceiptToEveryoneWhoAsksAfterTheOutcome) {
  const ClaimRequest request = this->ARequest(this->AName());
  const Claim claim = this->Take(request);
  v1::Receipt receipt = this->AReceipt(v1::RECEIPT_OUTCOME_REFUSED);
  receipt.set_provider_code(21610);
  EXPECT_EQ(this->Keep(request.name, claim.fence, receipt).SerializeAsString(),
            receipt.SerializeAsString());
  const Claim later = this->Take(request);
  EXPECT_EQ(later.state, Claim::State::kDone);
  EXPECT_EQ(later.receipt.SerializeAsString(), receipt.SerializeAsString());
}

TYPED_TEST_P(ClaimsContract, KeepsNothingButAcceptedUnderAnOldFence) {
  const ClaimRequest request = this->ARequest(this->AName());
  const Claim first = this->Take(request);
  EXPECT_TRUE(this->world.claims().Release(request.name, first.fence));
  this->Take(request);
  const auto refused = this->AReceipt(v1::RECEIPT_OUTCOME_REFUSED);
  EXPECT_EQ(this->Keep(request.name, first.fence, refused).outcome(),
            v1::RECEIPT_OUTCOME_UNSPECIFIED);
  EXPECT_EQ(this->Take(request).state, Claim::State::kBusy);
  EXPECT_EQ(this->Keep(request.name, first.fence, this->Accepted(this->ASid())).outcome(),
            v1::RECEIPT_OUTCOME_ACCEPTED);
}

TYPED_TEST_P(ClaimsContract, LetsALateAcceptedOutrankWhatWasNotKnown) {
  v1::Receipt ended = this->AReceipt(v1::RECEIPT_OUTCOME_ENDED);
  ended.set_status(v1::TRY_STATUS_FAILED);
  ended.set_reason("IN_DOUBT");
  for (const v1::Receipt& before : {this->AReceipt(v1::RECEIPT_OUTCOME_IN_DOUBT),
                                    this->AReceipt(v1::RECEIPT_OUTCOME_NOT_SENT), ended}) {
    const ClaimRequest request = this->ARequest(this->AName());
    const Claim claim = this->Take(request);
    EXPECT_EQ(this->Keep(request.name, claim.fence, before).outcome(), before.outcome());
    const std::string sid = this->ASid();
    EXPECT_EQ(this->Keep(request.name, 0, this->Accepted(sid)).provider_sid(), sid);
    EXPECT_EQ(this->Take(request).receipt.provider_sid(), sid);
  }
}

TYPED_TEST_P(ClaimsContract, LetsNothingOutrankACertainOutcome) {
  v1::Receipt expired = this->AReceipt(v1::RECEIPT_OUTCOME_ENDED);
  expired.set_reason("EXPIRED");
  for (const v1::Receipt& before :
       {this->Accepted(this->ASid()), this->AReceipt(v1::RECEIPT_OUTCOME_REFUSED),
        this->AReceipt(v1::RECEIPT_OUTCOME_RATE_LIMITED), expired}) {
    const ClaimRequest request = this->ARequest(this->AName());
    const Claim claim = this->Take(request);
    this->Keep(request.name, claim.fence, before);
    for (const v1::Receipt& late :
         {this->Accepted(this->ASid()), this->AReceipt(v1::RECEIPT_OUTCOME_IN_DOUBT),
          this->AReceipt(v1::RECEIPT_OUTCOME_NOT_SENT)})
      EXPECT_EQ(this->Keep(request.name, claim.fence, late).SerializeAsString(),
                before.SerializeAsString());
  }
}

TYPED_TEST_P(ClaimsContract, KeepsADoubtForASilentHolderOnlyAfterItsLease) {
  const auto doubt = this->AReceipt(v1::RECEIPT_OUTCOME_IN_DOUBT);
  const ClaimRequest live = this->ARequest(this->AName());
  this->Take(live);
  EXPECT_EQ(this->Keep(live.name, 0, doubt).outcome(), v1::RECEIPT_OUTCOME_UNSPECIFIED);
  const ClaimRequest silent = this->ARequest(this->AName(), this->kShortLease);
  this->Take(silent);
  this->Lapse(silent);
  EXPECT_EQ(this->Keep(silent.name, 0, doubt).outcome(), v1::RECEIPT_OUTCOME_IN_DOUBT);
  EXPECT_EQ(this->Take(silent).state, Claim::State::kDone);
}

TYPED_TEST_P(ClaimsContract, RefusesASidThatBelongsToAnotherTry) {
  const std::string sid = this->ASid();
  const v1::TryName first = this->AName();
  v1::TryName second = first;
  second.set_try_(2);
  this->Keep(first, this->Take(this->ARequest(first)).fence, this->Accepted(sid));
  const Claim claim = this->Take(this->ARequest(second));
  const auto kept = this->world.claims().Keep(second, claim.fence, this->Accepted(sid));
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(this->Take(this->ARequest(second)).state, Claim::State::kBusy);
}

TYPED_TEST_P(ClaimsContract, StoresAVerdictForATryThatNeverBegan) {
  ClaimRequest request = this->ARequest(this->AName());
  request.end = this->AReceipt(v1::RECEIPT_OUTCOME_ENDED);
  request.end->set_reason("EXPIRED");
  EXPECT_EQ(this->Take(request).state, Claim::State::kDone);
  const Claim later = this->Take(this->ARequest(request.name));
  EXPECT_EQ(later.state, Claim::State::kDone);
  EXPECT_EQ(later.receipt.reason(), "EXPIRED");
}

TYPED_TEST_P(ClaimsContract, LetsWhatWasBegunOutrankVerdictsAndMarks) {
  ClaimRequest request = this->ARequest(this->AName());
  this->Take(request);
  this->world.Mark(request.name.alert_id(), "CANCELLED");
  request.end = this->AReceipt(v1::RECEIPT_OUTCOME_ENDED);
  EXPECT_EQ(this->Take(request).state, Claim::State::kBusy);
}

TYPED_TEST_P(ClaimsContract, StopsATryWhoseAlertWasMarkedBeforeItBegan) {
  for (const std::string reason : {"CANCELLED", "ACKNOWLEDGED"}) {
    const ClaimRequest request = this->ARequest(this->AName());
    this->world.Mark(request.name.alert_id(), reason);
    const Claim stopped = this->Take(request);
    EXPECT_EQ(stopped.state, Claim::State::kStopped);
    EXPECT_EQ(stopped.receipt.outcome(), v1::RECEIPT_OUTCOME_ENDED);
    EXPECT_EQ(stopped.receipt.reason(), reason);
    const Claim later = this->Take(request);
    EXPECT_EQ(later.state, Claim::State::kDone);
    EXPECT_EQ(later.receipt.SerializeAsString(), stopped.receipt.SerializeAsString());
  }
}

TYPED_TEST_P(ClaimsContract, KeepsTriesAndStepsApart) {
  v1::TryName name = this->AName(1, 1);
  this->Take(this->ARequest(name));
  name.set_try_(2);
  EXPECT_EQ(this->Take(this->ARequest(name)).state, Claim::State::kGranted);
  name.set_step(2);
  EXPECT_EQ(this->Take(this->ARequest(name)).state, Claim::State::kGranted);
}

TYPED_TEST_P(ClaimsContract, LeavesADoubtOpenUntilSomethingSettlesIt) {  // R4
  const std::string twins = this->ASid();
  const v1::TryName name = this->ADoubt(twins);
  EXPECT_EQ(this->Settle(name, twins, {}), "");
  const std::string sid = this->ASid();
  EXPECT_EQ(this->Settle(name, twins, {sid}), sid);
  EXPECT_EQ(this->Settle(name, twins, {this->ASid()}), sid);  // it stands
  EXPECT_EQ(this->Take(this->ARequest(name)).receipt.provider_sid(), sid);
}

TYPED_TEST_P(ClaimsContract, EndsADoubtOnceWhenTheTimeIsUpAndLetsProofCorrectIt) {  // R4
  const std::string twins = this->ASid();
  const v1::TryName name = this->ADoubt(twins);
  EXPECT_EQ(this->Settle(name, twins, {}, true), "policy");
  EXPECT_EQ(this->Settle(name, twins, {this->ASid()}), "policy");
  const std::string sid = this->ASid();
  EXPECT_EQ(this->Keep(name, 0, this->Accepted(sid)).provider_sid(), sid);
}

TYPED_TEST_P(ClaimsContract, SharesOutEntriesAmongTwinsByCount) {  // R4
  const std::string twins = this->ASid();
  const std::string first = this->ASid();
  const std::string second = this->ASid();
  const v1::TryName one = this->ADoubt(twins);
  const v1::TryName two = this->ADoubt(twins);
  EXPECT_EQ(this->Settle(one, twins, {first}), "");
  EXPECT_EQ(this->Settle(one, twins, {first, second}), first);
  EXPECT_EQ(this->Settle(two, twins, {first, second}), second);
}

TYPED_TEST_P(ClaimsContract, GivesAScarceEntryToOneTwinWhenTheTimeIsUp) {  // R4
  const std::string twins = this->ASid();
  const std::string sid = this->ASid();
  const v1::TryName one = this->ADoubt(twins);
  const v1::TryName two = this->ADoubt(twins);
  EXPECT_EQ(this->Settle(one, twins, {sid}, true), sid);
  EXPECT_EQ(this->Settle(two, twins, {sid}, true), "policy");
}

TYPED_TEST_P(ClaimsContract, GivesNoEntryAwayThatATwinMayJustBeMaking) {  // R4
  const std::string twins = this->ASid();
  const std::string sid = this->ASid();
  const v1::TryName name = this->ADoubt(twins);
  ClaimRequest twin = this->ARequest(this->AName());
  twin.twins = twins;
  const Claim claim = this->Take(twin);
  EXPECT_EQ(this->Settle(name, twins, {sid}), "");
  this->Keep(twin.name, claim.fence, this->Accepted(this->ASid()));
  EXPECT_EQ(this->Settle(name, twins, {sid}), sid);
}

TYPED_TEST_P(ClaimsContract, NeverGivesAnEntryThatATryOwns) {  // R4
  const std::string twins = this->ASid();
  const std::string sid = this->ASid();
  const v1::TryName owner = this->AName();
  this->Keep(owner, this->Take(this->ARequest(owner)).fence, this->Accepted(sid));
  const v1::TryName name = this->ADoubt(twins);
  EXPECT_EQ(this->Settle(name, twins, {sid}), "");
  EXPECT_EQ(this->Settle(name, twins, {sid}, true), "policy");
}

TYPED_TEST_P(ClaimsContract, TakesAListsGuessBackForTheTryThatIsNamed) {  // R4
  const std::string twins = this->ASid();
  const std::string sid = this->ASid();
  const v1::TryName one = this->ADoubt(twins);
  const v1::TryName two = this->ADoubt(twins);
  EXPECT_EQ(this->Settle(one, twins, {sid}, true), sid);
  EXPECT_EQ(this->Keep(two, 0, this->Accepted(sid)).provider_sid(), sid);
  const std::string own = this->ASid();
  EXPECT_EQ(this->Keep(one, 0, this->Accepted(own)).provider_sid(), own);
}

TYPED_TEST_P(ClaimsContract, LetsAnAnswerSayMoreThanACallbackThatCameBeforeIt) {
  const ClaimRequest request = this->ARequest(this->AName());
  const Claim claim = this->Take(request);
  const std::string sid = this->ASid();
  v1::Receipt told = this->Accepted(sid);
  told.set_settled_by("callback");
  this->Keep(request.name, 0, told);
  EXPECT_EQ(this->Keep(request.name, claim.fence, this->Accepted(sid)).settled_by(), "");
  EXPECT_EQ(this->Keep(request.name, 0, told).settled_by(), "");
}

TYPED_TEST_P(ClaimsContract, KeepsTheWorkOfTheNewestTryOfAStep) {
  v1::TryName name = this->AName();
  this->Take(this->ARequest(name));
  EXPECT_EQ(this->world.claims().Work(name)->value(), this->AWork(name));
  v1::TryName next = name;
  next.set_try_(2);
  EXPECT_FALSE(this->world.claims().Work(next)->has_value());
  this->Take(this->ARequest(next));
  EXPECT_EQ(this->world.claims().Work(next)->value(), this->AWork(next));
  EXPECT_FALSE(this->world.claims().Work(name)->has_value());
}

TYPED_TEST_P(ClaimsContract, LearnsWhatWasBegunAndHowItCameOutWithoutIt) {  // R4, R6
  const ClaimRequest request = this->ARequest(this->AName());
  const WallTime now = SystemClock().Now();
  KnownTry known{.name = request.name,
                 .client_id = "client",
                 .time = now,
                 .lease_until = now + std::chrono::hours(24 * 365),
                 .receipt = {}};
  ASSERT_TRUE(this->world.claims().Learn(known));
  EXPECT_EQ(this->Take(request).state, Claim::State::kBusy);
  known.lease_until = {};
  known.receipt = this->Accepted(this->ASid());
  ASSERT_TRUE(this->world.claims().Learn(known));
  const Claim claim = this->Take(request);
  EXPECT_EQ(claim.state, Claim::State::kDone);
  EXPECT_EQ(claim.receipt.provider_sid(), known.receipt.provider_sid());
}

TYPED_TEST_P(ClaimsContract, LearnsTheFirstBeginAndTheLastLeaseOfATryThatIsClaimed) {  // R4
  const ClaimRequest request = this->ARequest(this->AName());
  const Claim granted = this->Take(request);
  const KnownTry known{.name = request.name,
                       .client_id = "client",
                       .time = granted.began - std::chrono::seconds(20),
                       .lease_until = granted.began + std::chrono::hours(1),
                       .receipt = {}};
  ASSERT_TRUE(this->world.claims().Learn(known));
  const Claim claim = this->Take(request);
  EXPECT_EQ(claim.state, Claim::State::kBusy);
  EXPECT_EQ(claim.began, known.time);
  EXPECT_GT(claim.lease_left, std::chrono::minutes(59));
  EXPECT_EQ(claim.fence, granted.fence);
}

TYPED_TEST_P(ClaimsContract, LearnsThatAnAlertWasMarked) {  // R1
  for (const bool acknowledged : {false, true}) {
    const ClaimRequest request = this->ARequest(this->AName());
    KnownTry known{.name = {},
                   .client_id = "client",
                   .time = SystemClock().Now(),
                   .lease_until = {},
                   .receipt = {},
                   .mark = KnownMark{.acknowledged = acknowledged, .by = "api"}};
    known.name.set_alert_id(request.name.alert_id());
    ASSERT_TRUE(this->world.claims().Learn(known));
    const Claim claim = this->Take(request);
    EXPECT_EQ(claim.state, Claim::State::kStopped);
    EXPECT_EQ(claim.receipt.reason(), acknowledged ? "ACKNOWLEDGED" : "CANCELLED");
  }
}

TYPED_TEST_P(ClaimsContract, AnswersNothingOnceItsMemoryIsLost) {
  const ClaimRequest request = this->ARequest(this->AName());
  const Claim claim = this->Take(request);
  this->world.LoseMemory();
  const auto taken = this->world.claims().Take(request);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, ErrorCode::kRedisUnavailable);
  EXPECT_FALSE(this->world.claims().Release(request.name, claim.fence));
  EXPECT_FALSE(this->world.claims().Keep(request.name, claim.fence, this->Accepted("SM1")));
}

REGISTER_TYPED_TEST_SUITE_P(
    ClaimsContract, GrantsANewTryOnceAndThenSaysBusy, GrantsOneOfManyOwnersRacing,
    CallsATryLapsedWhenItsLeaseIsOverAndGrantsItToNobody, GrantsAReleasedTryAgainUnderAHigherFence,
    IgnoresAReleaseUnderAnOldFence, IgnoresAReleaseAfterTheOutcome,
    GivesTheReceiptToEveryoneWhoAsksAfterTheOutcome, KeepsNothingButAcceptedUnderAnOldFence,
    LetsALateAcceptedOutrankWhatWasNotKnown, LetsNothingOutrankACertainOutcome,
    KeepsADoubtForASilentHolderOnlyAfterItsLease, RefusesASidThatBelongsToAnotherTry,
    StoresAVerdictForATryThatNeverBegan, LetsWhatWasBegunOutrankVerdictsAndMarks,
    StopsATryWhoseAlertWasMarkedBeforeItBegan, KeepsTriesAndStepsApart,
    LeavesADoubtOpenUntilSomethingSettlesIt, EndsADoubtOnceWhenTheTimeIsUpAndLetsProofCorrectIt,
    SharesOutEntriesAmongTwinsByCount, GivesAScarceEntryToOneTwinWhenTheTimeIsUp,
    GivesNoEntryAwayThatATwinMayJustBeMaking, NeverGivesAnEntryThatATryOwns,
    TakesAListsGuessBackForTheTryThatIsNamed, LetsAnAnswerSayMoreThanACallbackThatCameBeforeIt,
    KeepsTheWorkOfTheNewestTryOfAStep, LearnsWhatWasBegunAndHowItCameOutWithoutIt,
    LearnsTheFirstBeginAndTheLastLeaseOfATryThatIsClaimed, LearnsThatAnAlertWasMarked,
    AnswersNothingOnceItsMemoryIsLost);

}  // namespace tocsin
