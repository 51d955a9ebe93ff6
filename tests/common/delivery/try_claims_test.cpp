// What becomes of claims whose holders fell silent: R1, R4.
#include "common/delivery/try_claims.h"

#include "tests/common/delivery/delivery_fixture.h"

namespace tocsin {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* kSid = "SM0000000000000000000000000000000a";
constexpr Micros kLease = seconds(35);

class TryClaimsTest : public DeliveryFixture {
 protected:
  TryClaimsTest() { carrier.answer = FakeCarrier::Accepted(kSid); }

  // Another worker claims the try, or the answer of our own claim was lost.
  void ClaimAndDie(const v1::WorkRecord& work) {
    const auto claim = claims.Take({.name = work.try_(),
                                    .client_id = work.client_id(),
                                    .owner = "other",
                                    .lease = kLease,
                                    .end = {},
                                    .work = work.SerializeAsString(),
                                    .not_after = FromUnixMicros(work.not_after_us())});
    ASSERT_EQ(claim->state, Claim::State::kGranted);
  }
  void TellBegin(const v1::WorkRecord& work) {
    const std::int64_t now = ToUnixMicros(clock.Now());
    const v1::Event begin = TryStarted(work, now, now + kLease.count(), "main", kTestAccount);
    log.Publish({topics.Events(), work.try_().alert_id(), begin.SerializeAsString(), {}},
                [](const PublishReport&) {});
  }
};

TEST_F(TryClaimsTest, AClaimWhoseHolderDiedBeforeItsBeginIsTakenAnew) {
  const v1::WorkRecord work = AWork();
  ClaimAndDie(work);
  EXPECT_EQ(Deliver(work), Passage::kWaits);  // its holder may live
  clock.Advance(kLease);
  EXPECT_EQ(Deliver(work).error().code, ErrorCode::kOverloaded);
  EXPECT_EQ(Deliver(work), Passage::kSent);
  EXPECT_THAT(carrier.sent, SizeIs(1));
  EXPECT_THAT(Statuses(), ElementsAre(v1::TRY_STATUS_SENDING, v1::TRY_STATUS_SENT));
}

TEST_F(TryClaimsTest, AClaimWhoseHolderToldItsBeginIsInDoubt) {
  const v1::WorkRecord work = AWork();
  ClaimAndDie(work);
  TellBegin(work);
  clock.Advance(kLease);
  EXPECT_EQ(Deliver(work), Passage::kInDoubt);
  EXPECT_THAT(carrier.sent, IsEmpty());
}

TEST_F(TryClaimsTest, NothingIsDecidedWhileTheLogCannotBeRead) {
  const v1::WorkRecord work = AWork();
  ClaimAndDie(work);
  clock.Advance(kLease);
  log_history.unreadable = true;
  EXPECT_EQ(Deliver(work).error().code, ErrorCode::kKafkaUnavailable);
  EXPECT_THAT(Events(), IsEmpty());
}

TEST_F(TryClaimsTest, AnEndIsReachedThoughAClaimLapsedThatWasNeverBegun) {
  v1::WorkRecord work = AWork();
  work.set_not_after_us(ToUnixMicros(clock.Now() + seconds(20)));
  ClaimAndDie(work);
  clock.Advance(kLease);
  EXPECT_EQ(Deliver(work).error().code, ErrorCode::kOverloaded);
  EXPECT_EQ(Deliver(work), Passage::kEnded);
  EXPECT_THAT(Statuses(), ElementsAre(v1::TRY_STATUS_EXPIRED));
}

TEST_F(TryClaimsTest, AnAnswerThatNeitherStoreNorLogTookIsNotLost) {  // R1
  const v1::WorkRecord work = AWork();
  carrier.during_post = [this] {
    claims.SetDown(true);
    log.EndWith(PublishOutcome::kNotPersisted);
  };
  EXPECT_EQ(Deliver(work).error().code, ErrorCode::kKafkaUnavailable);
  log.EndWith(PublishOutcome::kPersisted);
  EXPECT_EQ(Deliver(work), Passage::kSent);
  EXPECT_THAT(carrier.sent, SizeIs(1));
  EXPECT_EQ(Events().back().try_changed().provider_sid(), kSid);
  carrier.during_post = nullptr;
  claims.SetDown(false);
  v1::WorkRecord other = work;
  other.mutable_try_()->set_try_(2);
  carrier.answer = FakeCarrier::Accepted("SM0000000000000000000000000000000b");
  EXPECT_EQ(Deliver(other), Passage::kSent);  // nothing of the first is left
}

}  // namespace
}  // namespace tocsin
