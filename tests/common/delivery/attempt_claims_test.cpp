// Claims whose holders died. R1, R4
#include "common/delivery/attempt_claims.h"

#include "tests/common/delivery/delivery_fixture.h"

namespace tocsin {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* kSid = "SM0000000000000000000000000000000a";
constexpr Micros kLease = seconds(35);

class AttemptClaimsTest : public DeliveryFixture {
 protected:
  AttemptClaimsTest() { provider.result = FakeProvider::Accepted(kSid); }

  // Another worker claims the attempt, or the reply to our own request was lost.
  void ClaimAndDie(const records::v1::WorkRecord& work) {
    const auto claim = Await(claims.Claim({.attempt = work.attempt(),
                                           .client_id = work.client_id(),
                                           .owner = "other",
                                           .lease = kLease,
                                           .not_attempted = {},
                                           .work = work.SerializeAsString(),
                                           .expire_time = FromUnixMicros(work.expire_time_us())}));
    ASSERT_EQ(claim->state, ClaimReply::State::kGranted);
  }
  void PublishStarted(const records::v1::WorkRecord& work) {
    const std::int64_t now = ToUnixMicros(clock.Now());
    const records::v1::Event started =
        AttemptStarted(work, now, now + kLease.count(), "main", kTestAccount);
    log.Publish({topics.Events(), work.attempt().alert_id(), started.SerializeAsString(), {}},
                [](const PublishReport&) {});
  }
};

// Both were accepted while the store could not know the key.
TEST_F(AttemptClaimsTest, RejectsTheSecondOfTwoAlertsWithOneKey) {  // A3, R6
  records::v1::WorkRecord first = AWork();
  first.mutable_acceptance()->set_idempotency_digest("key");
  records::v1::WorkRecord second = first;
  second.mutable_attempt()->set_alert_id("0190bbbb-0000-7000-8000-000000000000");
  EXPECT_EQ(Deliver(first), DeliveryResult::kSent);
  EXPECT_EQ(Deliver(second), DeliveryResult::kNotAttempted);
  EXPECT_EQ(Deliver(second), DeliveryResult::kNotAttempted);  // read again
  EXPECT_THAT(provider.sent, SizeIs(1));
  EXPECT_EQ(Statuses().back(), v1::ATTEMPT_STATUS_REJECTED);
  EXPECT_EQ(Events().back().attempt_changed().reason(), "IDEMPOTENCY_CONFLICT");
}

TEST_F(AttemptClaimsTest, ClaimsAgainWhenTheHolderDiedBeforeItsStart) {
  const records::v1::WorkRecord work = AWork();
  ClaimAndDie(work);
  EXPECT_EQ(Deliver(work), DeliveryResult::kRescheduled);  // the holder may be alive
  clock.Advance(kLease);
  EXPECT_EQ(Deliver(work).error().code, ErrorCode::kOverloaded);
  EXPECT_EQ(Deliver(work), DeliveryResult::kSent);
  EXPECT_THAT(provider.sent, SizeIs(1));
  EXPECT_THAT(Statuses(), ElementsAre(v1::ATTEMPT_STATUS_SENDING, v1::ATTEMPT_STATUS_SENT));
}

// Two workers may start an attempt in the same microsecond.
TEST_F(AttemptClaimsTest, AStartByTheLogIsAnotherEventThanOneByTheStore) {
  AttemptClaims worker({clock, claims, log, log_history, topics}, "worker", kLease);
  const records::v1::WorkRecord work = AWork();
  const IncomingRecord record = RecordOf(work);
  const Sender sender = *registry.Now()->FindSender("main");
  ClaimReply claim;
  claim.begin_time = clock.Now();
  for (const std::uint64_t fence : {kNoFence, kNoFence + 1}) {
    claim.fence = fence;
    ASSERT_TRUE(Await(worker.PublishStarted(record, work, sender, claim)));
  }
  ASSERT_THAT(Events(), SizeIs(2));
  EXPECT_NE(Events()[0].event_id(), Events()[1].event_id());
}

TEST_F(AttemptClaimsTest, IsInDoubtWhenTheHolderDiedAfterItsStart) {
  const records::v1::WorkRecord work = AWork();
  ClaimAndDie(work);
  PublishStarted(work);
  clock.Advance(kLease);
  EXPECT_EQ(Deliver(work), DeliveryResult::kInDoubt);
  EXPECT_THAT(provider.sent, IsEmpty());
}

TEST_F(AttemptClaimsTest, DecidesNothingWhileTheLogIsUnavailable) {
  const records::v1::WorkRecord work = AWork();
  ClaimAndDie(work);
  clock.Advance(kLease);
  log_history.unavailable = true;
  EXPECT_EQ(Deliver(work).error().code, ErrorCode::kKafkaUnavailable);
  EXPECT_THAT(Events(), IsEmpty());
}

TEST_F(AttemptClaimsTest, ExpiresAnAttemptWhoseLapsedClaimNeverStarted) {
  records::v1::WorkRecord work = AWork();
  work.set_expire_time_us(ToUnixMicros(clock.Now() + seconds(20)));
  ClaimAndDie(work);
  clock.Advance(kLease);
  EXPECT_EQ(Deliver(work).error().code, ErrorCode::kOverloaded);
  EXPECT_EQ(Deliver(work), DeliveryResult::kNotAttempted);
  EXPECT_THAT(Statuses(), ElementsAre(v1::ATTEMPT_STATUS_EXPIRED));
}

TEST_F(AttemptClaimsTest, KeepsAResultThatNeitherStoreNorLogAccepted) {  // R1
  const records::v1::WorkRecord work = AWork();
  provider.during_post = [this] {
    claims.SetDown(true);
    log.SetOutcome(PublishOutcome::kNotPersisted);
  };
  EXPECT_EQ(Deliver(work).error().code, ErrorCode::kKafkaUnavailable);
  log.SetOutcome(PublishOutcome::kPersisted);
  EXPECT_EQ(Deliver(work), DeliveryResult::kSent);
  EXPECT_THAT(provider.sent, SizeIs(1));
  EXPECT_EQ(Events().back().attempt_changed().provider_sid(), kSid);
  provider.during_post = nullptr;
  claims.SetDown(false);
  records::v1::WorkRecord other = work;
  other.mutable_attempt()->set_attempt(2);
  provider.result = FakeProvider::Accepted("SM0000000000000000000000000000000b");
  EXPECT_EQ(Deliver(other), DeliveryResult::kSent);  // the first result is gone
}

}  // namespace
}  // namespace tocsin
