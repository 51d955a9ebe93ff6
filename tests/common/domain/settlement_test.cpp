#include "common/domain/settlement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/time.h"

namespace tocsin {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

constexpr std::int64_t kNow = 1'767'225'600'000'000;
constexpr std::int64_t kHour = 3'600'000'000;

v1::WorkRecord Work(std::uint32_t used = 1) {
  v1::WorkRecord work;
  work.mutable_try_()->set_alert_id("0190aaaa-0000-7000-8000-000000000000");
  work.mutable_try_()->set_step(1);
  work.mutable_try_()->set_try_(used);
  work.set_channel(v1::CHANNEL_SMS);
  work.set_class_(v1::ALERT_CLASS_NORMAL);
  work.set_not_after_us(kNow + 24 * kHour);
  work.mutable_budget()->set_used(used);
  work.mutable_budget()->set_limit(5);
  work.mutable_acceptance()->set_nonce("n");
  work.mutable_slot()->set_sender("main");
  return work;
}

v1::Receipt Receipt(v1::ReceiptOutcome outcome, int code = 0) {
  v1::Receipt receipt;
  receipt.set_outcome(outcome);
  receipt.set_provider_code(code);
  receipt.set_ended_us(kNow);
  return receipt;
}

Settlement Settled(const v1::WorkRecord& work, const v1::Receipt& receipt) {
  return Settle(work, receipt, {}, "+15017122661");
}

TEST(SettlementTest, IsTheSameToTheByteWhoeverRepeatsIt) {  // R1
  const auto first = Settled(Work(), Receipt(v1::RECEIPT_OUTCOME_RATE_LIMITED));
  const auto second = Settled(Work(), Receipt(v1::RECEIPT_OUTCOME_RATE_LIMITED));
  EXPECT_EQ(first.events[0].SerializeAsString(), second.events[0].SerializeAsString());
  EXPECT_EQ(first.follow_up->SerializeAsString(), second.follow_up->SerializeAsString());
}

TEST(SettlementTest, SaysThatTwilioHasItAndNoMore) {
  v1::Receipt receipt = Receipt(v1::RECEIPT_OUTCOME_ACCEPTED);
  receipt.set_provider_sid("SM1");
  const auto settled = Settled(Work(), receipt);
  ASSERT_THAT(settled.events, SizeIs(1));
  EXPECT_EQ(settled.events[0].try_changed().status(), v1::TRY_STATUS_SENT);
  EXPECT_FALSE(settled.events[0].try_changed().last());  // the carrier has not answered
  EXPECT_FALSE(settled.follow_up || settled.dead || settled.consent);
}

struct ClassRow {
  const char* name;
  v1::ReceiptOutcome outcome;
  int code;
  bool follow_up;
  bool uses_budget;
};
class SettlementByClass : public testing::TestWithParam<ClassRow> {};
TEST_P(SettlementByClass, TriesAgainOrNot) {  // R2
  const ClassRow& row = GetParam();
  const auto settled = Settled(Work(2), Receipt(row.outcome, row.code));
  ASSERT_EQ(settled.follow_up.has_value(), row.follow_up);
  EXPECT_EQ(settled.dead.has_value(), !row.follow_up);
  const v1::TryChanged& changed = settled.events.back().try_changed();
  EXPECT_EQ(changed.status(), v1::TRY_STATUS_FAILED);
  EXPECT_EQ(changed.last(), !row.follow_up);
  EXPECT_FALSE(changed.reason().empty());
  if (!row.follow_up) return;
  EXPECT_EQ(settled.follow_up->try_().try_(), 3u);
  EXPECT_EQ(settled.follow_up->budget().used(), row.uses_budget ? 3u : 2u);
  EXPECT_EQ(changed.next_try(), 3u);
  EXPECT_GE(settled.follow_up->due_time_us(), kNow);
  EXPECT_FALSE(settled.follow_up->has_slot());        // it is paced anew
  EXPECT_FALSE(settled.follow_up->has_acceptance());  // the alert was accepted once
}
INSTANTIATE_TEST_SUITE_P(
    Rows, SettlementByClass,
    testing::Values(ClassRow{"too_many_requests", v1::RECEIPT_OUTCOME_RATE_LIMITED, 20429, true,
                             false},
                    ClassRow{"queue_full", v1::RECEIPT_OUTCOME_REFUSED, 21611, true, false},
                    ClassRow{"not_reached", v1::RECEIPT_OUTCOME_NOT_SENT, 0, true, false},
                    ClassRow{"account", v1::RECEIPT_OUTCOME_REFUSED, 20003, true, true},
                    ClassRow{"landline", v1::RECEIPT_OUTCOME_REFUSED, 21614, false, false},
                    ClassRow{"content", v1::RECEIPT_OUTCOME_REFUSED, 21617, false, false},
                    ClassRow{"sender", v1::RECEIPT_OUTCOME_REFUSED, 21606, false, false},
                    ClassRow{"geography", v1::RECEIPT_OUTCOME_REFUSED, 21408, false, false},
                    ClassRow{"nobody_knows_it", v1::RECEIPT_OUTCOME_REFUSED, 99999, false, false}),
    [](const auto& row) { return row.param.name; });

TEST(SettlementTest, GivesUpWhenTheBudgetIsUsedUp) {
  const auto settled = Settled(Work(5), Receipt(v1::RECEIPT_OUTCOME_REFUSED, 20003));
  EXPECT_FALSE(settled.follow_up);
  EXPECT_EQ(settled.events[0].try_changed().reason(), "RETRIES_EXHAUSTED");
}

TEST(SettlementTest, LetsAWaitForARateUseNoBudgetHoweverOftenItComes) {  // R2
  v1::WorkRecord work = Work(5);
  for (int i = 0; i < 50; ++i) {
    auto settled = Settled(work, Receipt(v1::RECEIPT_OUTCOME_RATE_LIMITED));
    ASSERT_TRUE(settled.follow_up);
    work = *settled.follow_up;
  }
  EXPECT_EQ(work.budget().used(), 5u);
  EXPECT_EQ(work.budget().free_waits(), 50u);
}

TEST(SettlementTest, NeverPlansATryAfterTheHorizon) {  // A5
  v1::WorkRecord work = Work();
  work.set_not_after_us(kNow + 2'000'000);
  v1::Receipt receipt = Receipt(v1::RECEIPT_OUTCOME_RATE_LIMITED);
  receipt.set_retry_after_us(2'000'000);
  const auto settled = Settled(work, receipt);
  EXPECT_FALSE(settled.follow_up);
  EXPECT_EQ(settled.events[0].try_changed().reason(), "EXPIRED");
}

TEST(SettlementTest, RemembersAnOptOutAndDoesNotCallItADeadLetter) {  // S4
  const auto settled = Settled(Work(), Receipt(v1::RECEIPT_OUTCOME_REFUSED, 21610));
  EXPECT_EQ(settled.events[0].try_changed().status(), v1::TRY_STATUS_SUPPRESSED);
  ASSERT_TRUE(settled.consent);
  EXPECT_EQ(settled.consent->state(), v1::CONSENT_STATE_OPTED_OUT);
  EXPECT_EQ(settled.consent->sender(), "+15017122661");
  EXPECT_FALSE(settled.follow_up || settled.dead);
}

TEST(SettlementTest, FollowsADoubtByALookAndNothingElse) {  // R4
  const auto doubt = Settled(Work(), Receipt(v1::RECEIPT_OUTCOME_IN_DOUBT));
  ASSERT_THAT(doubt.events, SizeIs(1));
  EXPECT_EQ(doubt.events[0].try_changed().status(), v1::TRY_STATUS_IN_DOUBT);
  ASSERT_TRUE(doubt.follow_up);
  EXPECT_EQ(doubt.follow_up->kind(), v1::WORK_KIND_SETTLE);
  EXPECT_EQ(doubt.follow_up->try_().try_(), 1u);
  EXPECT_FALSE(doubt.follow_up->has_acceptance() || doubt.dead);
}

TEST(SettlementTest, NamesAFailureBeforeAcceptanceAndOneAfterItDifferently) {
  const auto before = Settled(Work(5), Receipt(v1::RECEIPT_OUTCOME_REFUSED, 20003));
  v1::WebhookRecord callback;
  callback.set_kind(v1::WEBHOOK_KIND_SMS_STATUS);
  *callback.mutable_try_() = Work(5).try_();
  callback.set_provider_sid("SM1");
  callback.set_provider_status("failed");
  callback.set_provider_code(30008);
  ASSERT_TRUE(MayTryAgain(callback));
  const auto after = SettleUndelivered(Work(5), callback, {});
  EXPECT_NE(before.events[0].event_id(), after.events[0].event_id());
}

v1::WebhookRecord EndOfCall(const char* word, const char* answered_by = "") {
  v1::WebhookRecord callback;
  callback.set_kind(v1::WEBHOOK_KIND_VOICE_STATUS);
  *callback.mutable_try_() = Work().try_();
  callback.set_provider_sid("CA1");
  callback.set_provider_status(word);
  callback.set_answered_by(answered_by);
  callback.set_received_time_us(kNow);
  return callback;
}

v1::WorkRecord Call(unsigned placed) {
  v1::WorkRecord work = Work();
  work.set_channel(v1::CHANNEL_VOICE);
  work.mutable_budget()->set_calls(placed);
  return work;
}

TEST(SettlementTest, PlacesACallAgainThatReachedNobody) {  // V3
  ASSERT_TRUE(MayTryAgain(EndOfCall("busy")));
  const auto settled = SettleUndelivered(Call(1), EndOfCall("busy"), {});
  ASSERT_TRUE(settled.follow_up);
  EXPECT_EQ(settled.follow_up->due_time_us(), kNow + kHour / 30);
  EXPECT_EQ(settled.follow_up->budget().calls(), 2u);
  EXPECT_EQ(settled.follow_up->budget().used(), 1u);  // that is for what Twilio refuses
  const v1::TryChanged& changed = settled.events.at(0).try_changed();
  EXPECT_EQ(changed.status(), v1::TRY_STATUS_BUSY);
  EXPECT_EQ(changed.next_try(), 2u);
  EXPECT_EQ(changed.reason(), "");
  EXPECT_FALSE(changed.last() || settled.dead);
}

TEST(SettlementTest, GivesUpACallWhenAllWerePlacedOrItsTimeIsOver) {  // V3, A5
  const auto used_up = SettleUndelivered(Call(6), EndOfCall("no-answer"), {});
  EXPECT_FALSE(used_up.follow_up);
  ASSERT_TRUE(used_up.dead);
  EXPECT_EQ(used_up.dead->reason(), "RETRIES_EXHAUSTED");
  EXPECT_TRUE(used_up.events.at(0).try_changed().last());
  v1::WorkRecord late = Call(1);
  late.set_not_after_us(kNow + kHour / 60);
  EXPECT_EQ(SettleUndelivered(late, EndOfCall("busy"), {}).dead->reason(), "EXPIRED");
}

TEST(SettlementTest, LeavesNoDeadLetterOfWhatAMachineHeard) {  // V3, V5
  const auto settled = SettleUndelivered(Call(6), EndOfCall("completed", "machine_start"), {});
  EXPECT_EQ(settled.events.at(0).try_changed().status(), v1::TRY_STATUS_ANSWERED_MACHINE);
  EXPECT_TRUE(settled.events.at(0).try_changed().last());
  EXPECT_FALSE(settled.follow_up || settled.dead);
}

TEST(SettlementTest, NamesOneStatusOfTwoReceiptsDifferently) {  // R1
  v1::Receipt later = Receipt(v1::RECEIPT_OUTCOME_IN_DOUBT);
  later.set_ended_us(kNow + 1);
  const auto first = Settled(Work(), Receipt(v1::RECEIPT_OUTCOME_IN_DOUBT));
  const auto second = Settled(Work(), later);
  EXPECT_NE(first.events[0].event_id(), second.events[0].event_id());
}

TEST(BackoffTest, StaysWithinItsCeilingAndNeverUnderRetryAfter) {  // R2
  const BackoffPolicy policy;
  for (unsigned attempt = 1; attempt < 40; ++attempt) {
    const Micros wait = BackoffDelay(policy, attempt, "seed" + std::to_string(attempt), Micros(0));
    EXPECT_GE(wait, Micros(0));
    EXPECT_LE(wait,
              std::min(policy.cap, policy.base * (std::int64_t{1} << std::min(attempt - 1, 30U))));
  }
  EXPECT_GE(BackoffDelay(policy, 1, "s", std::chrono::hours(1)), Micros(std::chrono::hours(1)));
}

}  // namespace
}  // namespace tocsin
