#include <gtest/gtest.h>

#include "common/domain/call_keys.h"
#include "common/domain/call_retry.h"

namespace tocsin {
namespace {

constexpr WallTime kEnd = FromUnixMicros(1'790'000'000'000'000);

TEST(CallKeys, MeanWhatTheMenuSays) {  // V4
  EXPECT_EQ(CallKeyOf("1"), CallKey::kAcknowledge);
  EXPECT_EQ(CallKeyOf("2"), CallKey::kRepeat);
  EXPECT_EQ(CallKeyOf("3"), CallKey::kEscalate);
  EXPECT_EQ(CallKeyOf("9"), CallKey::kOptOut);
  EXPECT_EQ(CallKeyOf(""), CallKey::kNone);
  for (const char* strange : {"0", "7", "*", "#", "x", "\xff"})
    EXPECT_EQ(CallKeyOf(strange), CallKey::kUnknown);
}

TEST(CallKeys, EndACallAfterItsLastRoundWhateverIsPressed) {  // V4
  for (const CallKey key : {CallKey::kNone, CallKey::kRepeat, CallKey::kUnknown}) {
    EXPECT_EQ(ReplyTo(key, 1), CallReply::kAgain);
    EXPECT_EQ(ReplyTo(key, kMaxCallRounds), CallReply::kGoodbye);
    EXPECT_EQ(ReplyTo(key, kMaxCallRounds + 1), CallReply::kGoodbye);
  }
  for (const CallKey key : {CallKey::kAcknowledge, CallKey::kEscalate, CallKey::kOptOut})
    EXPECT_EQ(ReplyTo(key, kMaxCallRounds), CallReply::kConfirm);
}

v1::WorkRecord Work(unsigned calls) {
  v1::WorkRecord work;
  work.mutable_try_()->set_try_(3);
  work.mutable_budget()->set_calls(calls);
  work.mutable_acceptance()->set_nonce("n");
  work.mutable_slot()->set_sender("main");
  work.set_not_after_us(ToUnixMicros(kEnd + std::chrono::hours(1)));
  return work;
}

struct Again {
  const char* name;
  v1::TryStatus outcome;
  int minutes;  // 0: no other call
};
class CallRetry : public testing::TestWithParam<Again> {};
TEST_P(CallRetry, ComesAfterTheWaitOfItsOutcome) {  // V3
  const auto next =
      NextCall(Work(1), GetParam().outcome, kEnd, {.failed = std::chrono::minutes(7)});
  ASSERT_EQ(next.has_value(), GetParam().minutes != 0);
  if (!next) return;
  EXPECT_EQ(next->due_time_us(), ToUnixMicros(kEnd + std::chrono::minutes(GetParam().minutes)));
  EXPECT_EQ(next->try_().try_(), 4u);
  EXPECT_EQ(next->budget().calls(), 2u);
  EXPECT_FALSE(next->has_slot() || next->has_acceptance());
}
INSTANTIATE_TEST_SUITE_P(Rows, CallRetry,
                         testing::Values(Again{"Busy", v1::TRY_STATUS_BUSY, 2},
                                         Again{"NoAnswer", v1::TRY_STATUS_NO_ANSWER, 5},
                                         Again{"Failed", v1::TRY_STATUS_FAILED, 7},
                                         Again{"Machine", v1::TRY_STATUS_ANSWERED_MACHINE, 10},
                                         Again{"Human", v1::TRY_STATUS_ANSWERED_HUMAN, 0},
                                         Again{"Completed", v1::TRY_STATUS_DELIVERED, 0}),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(CallRetryTest, StopsWithTheSixthCall) {  // V3
  EXPECT_TRUE(NextCall(Work(5), v1::TRY_STATUS_BUSY, kEnd, {}));
  EXPECT_FALSE(NextCall(Work(6), v1::TRY_STATUS_BUSY, kEnd, {}));
  EXPECT_FALSE(NextCall(Work(1), v1::TRY_STATUS_BUSY, kEnd, {.calls = 1}));
}

TEST(CallRetryTest, NeverLiesAfterTheHorizon) {  // A5
  v1::WorkRecord work = Work(1);
  work.set_not_after_us(ToUnixMicros(kEnd + std::chrono::minutes(2)));
  EXPECT_FALSE(NextCall(work, v1::TRY_STATUS_BUSY, kEnd, {}));
}

struct Ending {
  const char* name;
  const char* word;       // Twilio's
  v1::TryStatus outcome;  // unspecified: it is not placed again
  const char* answered_by = "";
  int code = 0;
};
class Endings : public testing::TestWithParam<Ending> {};
TEST_P(Endings, TellWhetherACallReachedNobody) {  // V2, V3
  v1::WebhookRecord callback;
  callback.set_kind(v1::WEBHOOK_KIND_VOICE_STATUS);
  callback.mutable_try_()->set_alert_id("a");
  callback.set_provider_sid("CA1");
  callback.set_provider_status(GetParam().word);
  callback.set_answered_by(GetParam().answered_by);
  callback.set_provider_code(GetParam().code);
  EXPECT_EQ(UnreachedBy(*FactOf(callback)).value_or(v1::TRY_STATUS_UNSPECIFIED),
            GetParam().outcome);
}
INSTANTIATE_TEST_SUITE_P(
    Rows, Endings,
    testing::Values(
        Ending{"Busy", "busy", v1::TRY_STATUS_BUSY},
        Ending{"NoAnswer", "no-answer", v1::TRY_STATUS_NO_ANSWER},
        Ending{"Failed", "failed", v1::TRY_STATUS_FAILED},
        Ending{"OverAtAMachine", "completed", v1::TRY_STATUS_ANSWERED_MACHINE, "machine_start"},
        Ending{"OverAtAFax", "completed", v1::TRY_STATUS_ANSWERED_MACHINE, "fax"},
        Ending{"AMachineStillListens", "in-progress", v1::TRY_STATUS_UNSPECIFIED, "machine_start"},
        Ending{"OverAtAPerson", "completed", v1::TRY_STATUS_UNSPECIFIED, "human"},
        Ending{"OverAtNobodyKnowsWhom", "completed", v1::TRY_STATUS_UNSPECIFIED, "unknown"},
        Ending{"Cancelled", "canceled", v1::TRY_STATUS_UNSPECIFIED},
        Ending{"NoSuchNumber", "failed", v1::TRY_STATUS_UNSPECIFIED, "", 21217},
        Ending{"Rings", "ringing", v1::TRY_STATUS_UNSPECIFIED}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(CallRetryTest, TakesNoMessageForACall) {  // V3
  v1::WebhookRecord callback;
  callback.set_kind(v1::WEBHOOK_KIND_SMS_STATUS);
  callback.mutable_try_()->set_alert_id("a");
  callback.set_provider_sid("SM1");
  callback.set_provider_status("failed");
  EXPECT_FALSE(UnreachedBy(*FactOf(callback)));
}

}  // namespace
}  // namespace tocsin
