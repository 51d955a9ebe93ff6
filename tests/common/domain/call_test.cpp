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
  const auto next = NextCall(Work(1), GetParam().outcome, kEnd, {});
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
                                         Again{"Machine", v1::TRY_STATUS_ANSWERED_MACHINE, 10},
                                         Again{"Human", v1::TRY_STATUS_ANSWERED_HUMAN, 0},
                                         Again{"Completed", v1::TRY_STATUS_DELIVERED, 0}),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(CallRetryTest, StopsWithTheSixthCall) {  // V3
  EXPECT_TRUE(NextCall(Work(5), v1::TRY_STATUS_BUSY, kEnd, {}));
  EXPECT_FALSE(NextCall(Work(6), v1::TRY_STATUS_BUSY, kEnd, {}));
}

TEST(CallRetryTest, NeverLiesAfterTheHorizon) {  // A5
  v1::WorkRecord work = Work(1);
  work.set_not_after_us(ToUnixMicros(kEnd + std::chrono::minutes(2)));
  EXPECT_FALSE(NextCall(work, v1::TRY_STATUS_BUSY, kEnd, {}));
}

}  // namespace
}  // namespace tocsin
