#include "common/domain/delivery/call_retry.h"

#include <gtest/gtest.h>

#include "common/twilio/webhooks/status_words.h"

namespace tocsin {
namespace {

constexpr WallTime kEnd = FromUnixMicros(1'790'000'000'000'000);

records::v1::WorkRecord Work(std::int32_t calls) {
  records::v1::WorkRecord work;
  work.mutable_attempt()->set_attempt(3);
  work.mutable_retry_budget()->set_calls_placed(calls);
  work.mutable_acceptance()->set_nonce("n");
  work.mutable_rate_reservation()->set_sender_id("main");
  work.set_expire_time_us(ToUnixMicros(kEnd + std::chrono::hours(1)));
  return work;
}

struct Retry {
  const char* name;
  v1::AttemptStatus outcome;
  int minutes;  // 0: no other call
};
class CallRetryDelay : public testing::TestWithParam<Retry> {};
TEST_P(CallRetryDelay, IsDueAfterTheDelayOfTheOutcome) {  // V3
  const auto next =
      NextCall(Work(1), GetParam().outcome, kEnd, {.failed = std::chrono::minutes(7)});
  ASSERT_EQ(next.has_value(), GetParam().minutes != 0);
  if (!next) return;
  EXPECT_EQ(next->due_time_us(), ToUnixMicros(kEnd + std::chrono::minutes(GetParam().minutes)));
  EXPECT_EQ(next->attempt().attempt(), 4);
  EXPECT_EQ(next->retry_budget().calls_placed(), 2);
  EXPECT_FALSE(next->has_rate_reservation() || next->has_acceptance());
}
INSTANTIATE_TEST_SUITE_P(Rows, CallRetryDelay,
                         testing::Values(Retry{"Busy", v1::ATTEMPT_STATUS_BUSY, 2},
                                         Retry{"NoAnswer", v1::ATTEMPT_STATUS_NO_ANSWER, 5},
                                         Retry{"Failed", v1::ATTEMPT_STATUS_FAILED, 7},
                                         Retry{"Machine", v1::ATTEMPT_STATUS_ANSWERED_MACHINE, 10},
                                         Retry{"Human", v1::ATTEMPT_STATUS_ANSWERED_HUMAN, 0},
                                         Retry{"Completed", v1::ATTEMPT_STATUS_DELIVERED, 0}),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(CallRetryTest, StopsAfterTheSixthCall) {  // V3
  EXPECT_TRUE(NextCall(Work(5), v1::ATTEMPT_STATUS_BUSY, kEnd, {}));
  EXPECT_FALSE(NextCall(Work(6), v1::ATTEMPT_STATUS_BUSY, kEnd, {}));
  EXPECT_FALSE(NextCall(Work(1), v1::ATTEMPT_STATUS_BUSY, kEnd, {.max_calls = 1}));
}

TEST(CallRetryTest, IsNeverDueAfterTheExpireTime) {  // A5
  records::v1::WorkRecord work = Work(1);
  work.set_expire_time_us(ToUnixMicros(kEnd + std::chrono::minutes(2)));
  EXPECT_FALSE(NextCall(work, v1::ATTEMPT_STATUS_BUSY, kEnd, {}));
}

struct Ending {
  const char* name;
  const char* word;           // Twilio's call status
  v1::AttemptStatus outcome;  // unspecified: the call is not retried
  const char* answered_by = "";
  int code = 0;
};
class Endings : public testing::TestWithParam<Ending> {};
TEST_P(Endings, DetermineWhetherACallReachedNobody) {  // V2, V3
  records::v1::WebhookRecord callback;
  callback.set_kind(records::v1::WEBHOOK_KIND_VOICE_STATUS);
  callback.mutable_attempt()->set_alert_id("a");
  callback.set_provider_sid("CA1");
  callback.set_answered_by(twilio::AnsweredByOf(GetParam().answered_by));
  callback.set_provider_code(GetParam().code);
  twilio::SetProviderStatus(callback, GetParam().word);
  EXPECT_EQ(UnreachedBy(*AlertEventOf(callback)).value_or(v1::ATTEMPT_STATUS_UNSPECIFIED),
            GetParam().outcome);
}
INSTANTIATE_TEST_SUITE_P(
    Rows, Endings,
    testing::Values(
        Ending{"Busy", "busy", v1::ATTEMPT_STATUS_BUSY},
        Ending{"NoAnswer", "no-answer", v1::ATTEMPT_STATUS_NO_ANSWER},
        Ending{"Failed", "failed", v1::ATTEMPT_STATUS_FAILED},
        Ending{"OverAtAMachine", "completed", v1::ATTEMPT_STATUS_ANSWERED_MACHINE, "machine_start"},
        Ending{"OverAtAFax", "completed", v1::ATTEMPT_STATUS_ANSWERED_MACHINE, "fax"},
        Ending{"AMachineStillListens", "in-progress", v1::ATTEMPT_STATUS_UNSPECIFIED,
               "machine_start"},
        Ending{"OverAtAPerson", "completed", v1::ATTEMPT_STATUS_UNSPECIFIED, "human"},
        Ending{"OverAtNobodyKnowsWhom", "completed", v1::ATTEMPT_STATUS_UNSPECIFIED, "unknown"},
        Ending{"Cancelled", "canceled", v1::ATTEMPT_STATUS_UNSPECIFIED},
        Ending{"NoSuchNumber", "failed", v1::ATTEMPT_STATUS_UNSPECIFIED, "", 21217},
        Ending{"Rings", "ringing", v1::ATTEMPT_STATUS_UNSPECIFIED}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(CallRetryTest, IgnoresMessages) {  // V3
  records::v1::WebhookRecord callback;
  callback.set_kind(records::v1::WEBHOOK_KIND_SMS_STATUS);
  callback.mutable_attempt()->set_alert_id("a");
  callback.set_provider_sid("SM1");
  twilio::SetProviderStatus(callback, "failed");
  EXPECT_FALSE(UnreachedBy(*AlertEventOf(callback)));
}

}  // namespace
}  // namespace tocsin
