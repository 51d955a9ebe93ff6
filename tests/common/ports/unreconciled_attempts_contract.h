// The contract of UnreconciledAttempts, together with the Claims that fill it. A world is one of
// ClaimsContract that also has
//   UnreconciledAttempts& unreconciled_attempts();
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/ports/unreconciled_attempts.h"
#include "tests/common/ports/resolution_contract.h"

namespace tocsin {

template <typename World>
class UnreconciledAttemptsContract : public ResolutionContract<World> {
 protected:
  static records::v1::AttemptResult ProvenByCallback(const std::string& sid,
                                                     v1::AttemptStatus status) {
    records::v1::AttemptResult result = UnreconciledAttemptsContract::Accepted(sid);
    result.set_resolved_by(v1::RESOLVED_BY_CALLBACK);
    result.set_status(status);
    return result;
  }
  // Unreconciled attempts, due within the next year.
  std::vector<UnreconciledAttempt> All(v1::Channel channel = v1::CHANNEL_SMS,
                                       std::size_t max = 100) {
    const auto attempts = this->Wait(this->world.unreconciled_attempts().FindDue(
        channel, SystemClock().Now() + std::chrono::hours(24 * 365), max));
    EXPECT_TRUE(attempts) << attempts.error().message;
    return attempts ? attempts->due : std::vector<UnreconciledAttempt>();
  }
  void SaveLookup(const v1::AttemptRef& attempt, bool ended, bool priced,
                  std::optional<WallTime> next_time = {}) {
    Reconciled found;
    found.ended = ended;
    found.priced = priced;
    found.next_time = next_time;
    EXPECT_TRUE(this->Wait(
        this->world.unreconciled_attempts().SaveLookup(v1::CHANNEL_SMS, attempt, found)));
  }
};

TYPED_TEST_SUITE_P(UnreconciledAttemptsContract);

TYPED_TEST_P(UnreconciledAttemptsContract,
             KeepsAnAttemptFromItsSidUntilItsFinalStatusAndPrice) {  // S3
  const ClaimRequest request = this->ARequest(this->AnAttempt());
  const std::string sid = this->ASid();
  const std::uint64_t fence = this->Claim(request).fence;
  EXPECT_THAT(this->All(), testing::IsEmpty());
  this->SaveResult(request.attempt, fence, this->Accepted(sid));
  ASSERT_THAT(this->All(), testing::SizeIs(1));
  const UnreconciledAttempt open = this->All().front();
  EXPECT_EQ(open.name.SerializeAsString(), request.attempt.SerializeAsString());
  EXPECT_EQ(open.client_id, "client");
  EXPECT_EQ(open.result.provider_sid(), sid);
  ASSERT_TRUE(open.work);
  EXPECT_EQ(open.work->SerializeAsString(), request.work);
  EXPECT_FALSE(open.ended || open.priced || !open.holds_sid);
  this->SaveResult(request.attempt, kNoFence,
                   this->ProvenByCallback(sid, v1::ATTEMPT_STATUS_DELIVERED));
  EXPECT_TRUE(this->All().front().ended);
  this->SaveLookup(request.attempt, true, true);
  EXPECT_THAT(this->All(), testing::IsEmpty());
  this->SaveResult(request.attempt, kNoFence,
                   this->ProvenByCallback(sid, v1::ATTEMPT_STATUS_DELIVERED));
  EXPECT_THAT(this->All(), testing::IsEmpty());
}

TYPED_TEST_P(UnreconciledAttemptsContract, ReturnsAttemptsOnlyWhenTheyAreDue) {
  const v1::AttemptRef first = this->AnAttempt();
  const v1::AttemptRef second = this->AnAttempt();
  for (const v1::AttemptRef& attempt : {first, second})
    this->SaveResult(attempt, kNoFence,
                     this->ProvenByCallback(this->ASid(), v1::ATTEMPT_STATUS_SENT));
  const WallTime now = SystemClock().Now();
  this->SaveLookup(first, false, true, now + std::chrono::hours(2));
  this->SaveLookup(second, false, false, now + std::chrono::hours(1));
  const auto due = this->Wait(this->world.unreconciled_attempts().FindDue(
      v1::CHANNEL_SMS, now + std::chrono::hours(1), 100));
  ASSERT_TRUE(due);
  EXPECT_EQ(due->total, 2u);
  ASSERT_THAT(due->due, testing::SizeIs(1));
  EXPECT_EQ(due->due.front().name.alert_id(), second.alert_id());
  EXPECT_THAT(this->All(v1::CHANNEL_SMS, 1), testing::SizeIs(1));
  EXPECT_TRUE(this->All().back().priced);
}

TYPED_TEST_P(UnreconciledAttemptsContract, ReturnsAttemptsWithoutAFinalStatusFirst) {  // S3
  std::vector<v1::AttemptRef> attempts;
  for (const auto status : {v1::ATTEMPT_STATUS_DELIVERED, v1::ATTEMPT_STATUS_DELIVERED,
                            v1::ATTEMPT_STATUS_SENT, v1::ATTEMPT_STATUS_SENT}) {
    attempts.push_back(this->AnAttempt());
    this->SaveResult(attempts.back(), kNoFence, this->ProvenByCallback(this->ASid(), status));
  }
  const WallTime now = SystemClock().Now();
  for (size_t i = 0; i < attempts.size(); ++i)
    this->SaveLookup(attempts[i], i < 2, false, now + std::chrono::hours(i));
  const auto due = this->All();
  ASSERT_THAT(due, testing::SizeIs(4));
  for (const size_t i : {0u, 1u, 2u, 3u}) {
    EXPECT_EQ(due[i].name.alert_id(), attempts[(i + 2) % 4].alert_id()) << i;
    EXPECT_EQ(due[i].ended, i >= 2);
  }
  EXPECT_FALSE(this->All(v1::CHANNEL_SMS, 2).back().ended);
}

TYPED_TEST_P(UnreconciledAttemptsContract, KeepsTheTimeOfAnAttemptThatLacksOnlyItsPrice) {  // L3
  const v1::AttemptRef attempt = this->AnAttempt();
  const std::string sid = this->ASid();
  this->SaveResult(attempt, kNoFence, this->ProvenByCallback(sid, v1::ATTEMPT_STATUS_SENT));
  const WallTime now = SystemClock().Now();
  this->SaveLookup(attempt, false, false, now + std::chrono::hours(2));
  this->SaveResult(attempt, kNoFence, this->ProvenByCallback(sid, v1::ATTEMPT_STATUS_DELIVERED));
  // The result of a lookup that began before the callback.
  this->SaveLookup(attempt, false, false, now + std::chrono::hours(3));
  auto& port = this->world.unreconciled_attempts();
  EXPECT_EQ(this->Wait(port.FindDue(v1::CHANNEL_SMS, now, 100))->total, 1u);
  EXPECT_THAT(this->Wait(port.FindDue(v1::CHANNEL_SMS, now + std::chrono::hours(2), 100))->due,
              testing::IsEmpty());
  ASSERT_THAT(this->All(), testing::SizeIs(1));
  EXPECT_TRUE(this->All().front().ended);
}

TYPED_TEST_P(UnreconciledAttemptsContract, SeparatesCallsFromMessages) {
  this->SaveResult(this->AnAttempt(), kNoFence, this->Accepted("CA" + MakeUuidV5(RandomBytes(16))));
  EXPECT_THAT(this->All(), testing::IsEmpty());
  EXPECT_THAT(this->All(v1::CHANNEL_VOICE), testing::SizeIs(1));
}

TYPED_TEST_P(UnreconciledAttemptsContract, ReportsThatTheSidMovedToAnotherAttempt) {  // R4
  const std::string duplicate_key = this->ASid();
  const v1::AttemptRef guessed = this->AnInDoubtAttempt(duplicate_key);
  const std::string sid = this->ASid();
  EXPECT_EQ(this->Resolve(guessed, duplicate_key, {sid}), sid);
  EXPECT_TRUE(this->All().front().holds_sid);
  this->SaveResult(this->AnAttempt(), kNoFence,
                   this->ProvenByCallback(sid, v1::ATTEMPT_STATUS_SENT));
  ASSERT_THAT(this->All(), testing::SizeIs(2));
  for (const UnreconciledAttempt& open : this->All())
    EXPECT_EQ(open.holds_sid, open.name.alert_id() != guessed.alert_id());
}

REGISTER_TYPED_TEST_SUITE_P(UnreconciledAttemptsContract,
                            KeepsAnAttemptFromItsSidUntilItsFinalStatusAndPrice,
                            ReturnsAttemptsOnlyWhenTheyAreDue,
                            ReturnsAttemptsWithoutAFinalStatusFirst,
                            KeepsTheTimeOfAnAttemptThatLacksOnlyItsPrice,
                            SeparatesCallsFromMessages, ReportsThatTheSidMovedToAnotherAttempt);

}  // namespace tocsin
