// When a doubt is looked into, what settles it, and which outcome stands: R4.
#include "common/domain/doubt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;

constexpr std::int64_t kPost = 1'767'225'600'000'000;
constexpr std::int64_t kDoubt = kPost + 30'000'000;

v1::WorkRecord Work(v1::AlertClass alert_class = v1::ALERT_CLASS_NORMAL) {
  v1::WorkRecord work;
  work.mutable_try_()->set_alert_id("0190aaaa-0000-7000-8000-000000000000");
  work.mutable_try_()->set_step(1);
  work.mutable_try_()->set_try_(3);
  work.set_kind(v1::WORK_KIND_TRY);
  work.set_class_(alert_class);
  work.mutable_acceptance()->set_nonce("n");
  work.mutable_slot()->set_sender("main");
  return work;
}

v1::WorkRecord Look(v1::AlertClass alert_class = v1::ALERT_CLASS_NORMAL,
                    const DoubtSchedule& schedule = {}) {
  v1::Receipt doubt;
  doubt.set_outcome(v1::RECEIPT_OUTCOME_IN_DOUBT);
  doubt.set_began_us(kPost);
  doubt.set_ended_us(kDoubt);
  doubt.set_sender("main");
  doubt.set_account_sid("AC1");
  return FirstLook(Work(alert_class), doubt, schedule);
}

// Seconds after the begin of the doubt, the last look included.
std::vector<std::int64_t> Times(v1::WorkRecord look, const DoubtSchedule& schedule = {}) {
  std::vector<std::int64_t> times;
  while (true) {
    times.push_back((look.due_time_us() - kDoubt) / 1'000'000);
    if (FromUnixMicros(look.due_time_us()) >= PolicyTime(look, schedule)) return times;
    look = NextLook(look, schedule);
  }
}

TEST(DoubtTest, LooksAtGrowingDistancesAndLastWhenTheClassHasItsLimit) {
  EXPECT_THAT(Times(Look(v1::ALERT_CLASS_EMERGENCY)), ElementsAre(1, 3, 7, 15));
  for (const auto alert_class :
       {v1::ALERT_CLASS_HIGH, v1::ALERT_CLASS_NORMAL, v1::ALERT_CLASS_BULK})
    EXPECT_THAT(Times(Look(alert_class)), ElementsAre(1, 3, 7, 15, 31, 63, 75));
}

TEST(DoubtTest, EndsAlsoWithAScheduleThatLooksOnce) {
  const DoubtSchedule once{
      .first_look = seconds(600), .emergency_limit = seconds(2), .other_limit = seconds(4)};
  EXPECT_THAT(Times(Look(v1::ALERT_CLASS_EMERGENCY, once), once), ElementsAre(2));
  EXPECT_THAT(Times(Look(v1::ALERT_CLASS_NORMAL, once), once), ElementsAre(4));
}

TEST(DoubtTest, NeverPlansALookAfterTheLimitHoweverOftenItLooks) {
  v1::WorkRecord look = Look();
  for (int i = 0; i < 100; ++i) look = NextLook(look, {});
  EXPECT_EQ(FromUnixMicros(look.due_time_us()), PolicyTime(look, {}));
}

TEST(DoubtTest, LeavesNothingOfTheDoubtInTheTryAfterIt) {
  const v1::WorkRecord look = Look();
  EXPECT_EQ(look.kind(), v1::WORK_KIND_SETTLE);
  EXPECT_FALSE(look.has_slot() || look.has_acceptance());
  EXPECT_EQ(look.doubt().began_us(), kDoubt);
  EXPECT_EQ(look.doubt().post_began_us(), kPost);
  const v1::WorkRecord work = WithoutDoubt(look);
  EXPECT_EQ(work.kind(), v1::WORK_KIND_TRY);
  EXPECT_FALSE(work.has_doubt());
  EXPECT_EQ(work.try_().try_(), 3u);
}

TEST(DoubtTest, CountsWhatWasCreatedWhileThePostWasUnderWayByAClockThatMayDiffer) {
  const v1::Doubt doubt = Look().doubt();
  const WallTime post = FromUnixMicros(kPost);
  const WallTime began = FromUnixMicros(kDoubt);
  EXPECT_TRUE(WithinDoubt(doubt, post));
  EXPECT_TRUE(WithinDoubt(doubt, began));
  EXPECT_TRUE(WithinDoubt(doubt, post - kCarrierSkew));
  EXPECT_TRUE(WithinDoubt(doubt, began + kCarrierSkew));
  EXPECT_FALSE(WithinDoubt(doubt, post - kCarrierSkew - Micros(1)));
  EXPECT_FALSE(WithinDoubt(doubt, began + kCarrierSkew + Micros(1)));
}

struct PolicyRow {
  const char* name;
  v1::AlertClass alert_class;
  v1::DoubtPolicy wish;
  bool sends_again;
};
class DoubtPolicies : public testing::TestWithParam<PolicyRow> {};
TEST_P(DoubtPolicies, Decide) {
  v1::WorkRecord work = Work(GetParam().alert_class);
  work.set_doubt_policy(GetParam().wish);
  EXPECT_EQ(SendsAgain(work), GetParam().sends_again);
}
INSTANTIATE_TEST_SUITE_P(
    Rows, DoubtPolicies,
    testing::Values(
        PolicyRow{"emergency", v1::ALERT_CLASS_EMERGENCY, v1::DOUBT_POLICY_UNSPECIFIED, true},
        PolicyRow{"high", v1::ALERT_CLASS_HIGH, v1::DOUBT_POLICY_UNSPECIFIED, false},
        PolicyRow{"bulk", v1::ALERT_CLASS_BULK, v1::DOUBT_POLICY_UNSPECIFIED, false},
        PolicyRow{"careful_emergency", v1::ALERT_CLASS_EMERGENCY, v1::DOUBT_POLICY_FAIL, false},
        PolicyRow{"insistent_bulk", v1::ALERT_CLASS_BULK, v1::DOUBT_POLICY_SEND_AGAIN, true}),
    [](const auto& row) { return row.param.name; });

TEST(DoubtTest, LetsBetterProofStandAndRanksEveryOutcome) {
  v1::Receipt doubt;
  doubt.set_outcome(v1::RECEIPT_OUTCOME_IN_DOUBT);
  v1::Receipt answered;
  answered.set_outcome(v1::RECEIPT_OUTCOME_ACCEPTED);
  v1::WebhookRecord callback;
  callback.set_provider_sid("SM1");
  const std::vector<v1::Receipt> rising{doubt, EndedByPolicy(Look(), FromUnixMicros(kDoubt)),
                                        FoundInList(Look(), "SM1", FromUnixMicros(kDoubt)),
                                        ProvenByCallback(callback), answered};
  for (size_t i = 1; i < rising.size(); ++i)
    EXPECT_GT(ProofOf(rising[i]), ProofOf(rising[i - 1])) << i;
  v1::Receipt expired;
  expired.set_outcome(v1::RECEIPT_OUTCOME_ENDED);
  expired.set_reason("EXPIRED");
  EXPECT_EQ(ProofOf(expired), Proof::kCertain);
  for (const auto outcome : {v1::RECEIPT_OUTCOME_REFUSED, v1::RECEIPT_OUTCOME_RATE_LIMITED}) {
    v1::Receipt refused;
    refused.set_outcome(outcome);
    EXPECT_EQ(ProofOf(refused), Proof::kCertain);
  }
}

TEST(DoubtTest, TellsTwinsByPersonAndText) {
  v1::WorkRecord one = Work();
  one.mutable_recipient()->set_token("a person");
  one.set_body_digest("a text");
  v1::WorkRecord two = one;
  two.mutable_try_()->set_alert_id("another");
  EXPECT_EQ(TwinsOf(one), TwinsOf(two));
  two.set_body_digest("another text");
  EXPECT_NE(TwinsOf(one), TwinsOf(two));
}

}  // namespace
}  // namespace tocsin
