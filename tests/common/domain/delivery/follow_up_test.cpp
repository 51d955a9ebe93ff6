#include "common/domain/delivery/follow_up.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/domain/delivery/known_attempt.h"
#include "common/twilio/error_codes.h"
#include "common/twilio/webhooks/status_words.h"

#include "common/base/time.h"

namespace tocsin {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

constexpr std::int64_t kNow = 1'767'225'600'000'000;
constexpr std::int64_t kHour = 3'600'000'000;

records::v1::WorkRecord Work(std::uint32_t used = 1) {
  records::v1::WorkRecord work;
  work.mutable_attempt()->set_alert_id("0190aaaa-0000-7000-8000-000000000000");
  work.mutable_attempt()->set_step(1);
  work.mutable_attempt()->set_attempt(used);
  work.set_channel(v1::CHANNEL_SMS);
  work.set_priority(v1::PRIORITY_NORMAL);
  work.set_expire_time_us(kNow + 24 * kHour);
  work.mutable_retry_budget()->set_attempts_used(used);
  work.mutable_retry_budget()->set_attempts_max(5);
  work.mutable_acceptance()->set_nonce("n");
  work.mutable_rate_reservation()->set_sender_id("main");
  return work;
}

records::v1::AttemptResult ResultOf(records::v1::AttemptOutcome outcome, int code = 0) {
  records::v1::AttemptResult result;
  result.set_outcome(outcome);
  result.set_provider_code(code);
  if (code != 0) result.set_error_class(twilio::Describe(code).error_class);
  result.set_end_time_us(kNow);
  return result;
}

FollowUp Decided(const records::v1::WorkRecord& work, const records::v1::AttemptResult& result) {
  return Decide(work, result, {}, "+15017122661");
}

TEST(FollowUpTest, GivesIdenticalBytesWhenRepeated) {  // R1
  const auto first = Decided(Work(), ResultOf(records::v1::ATTEMPT_OUTCOME_RATE_LIMITED));
  const auto second = Decided(Work(), ResultOf(records::v1::ATTEMPT_OUTCOME_RATE_LIMITED));
  EXPECT_EQ(first.events[0].SerializeAsString(), second.events[0].SerializeAsString());
  EXPECT_EQ(first.next_work->SerializeAsString(), second.next_work->SerializeAsString());
}

TEST(FollowUpTest, PublishesOnlySentForAnAcceptedAttempt) {
  records::v1::AttemptResult result = ResultOf(records::v1::ATTEMPT_OUTCOME_ACCEPTED);
  result.set_provider_sid("SM1");
  const auto follow_up = Decided(Work(), result);
  ASSERT_THAT(follow_up.events, SizeIs(1));
  EXPECT_EQ(follow_up.events[0].attempt_changed().status(), v1::ATTEMPT_STATUS_SENT);
  EXPECT_FALSE(follow_up.events[0].attempt_changed().last());  // no delivery report yet
  EXPECT_FALSE(follow_up.next_work || follow_up.dead || follow_up.consent);
}

struct ErrorClassRow {
  const char* name;
  records::v1::AttemptOutcome outcome;
  int code;
  bool next_work;
  bool uses_budget;
};
class FollowUpByErrorClass : public testing::TestWithParam<ErrorClassRow> {};
TEST_P(FollowUpByErrorClass, DecidesWhetherToRetry) {  // R2
  const ErrorClassRow& row = GetParam();
  const auto follow_up = Decided(Work(2), ResultOf(row.outcome, row.code));
  ASSERT_EQ(follow_up.next_work.has_value(), row.next_work);
  EXPECT_EQ(follow_up.dead.has_value(), !row.next_work);
  const records::v1::AttemptChanged& changed = follow_up.events.back().attempt_changed();
  EXPECT_EQ(changed.status(), v1::ATTEMPT_STATUS_FAILED);
  EXPECT_EQ(changed.last(), !row.next_work);
  EXPECT_FALSE(changed.reason().empty());
  if (!row.next_work) return;
  EXPECT_EQ(follow_up.next_work->attempt().attempt(), 3);
  EXPECT_EQ(follow_up.next_work->retry_budget().attempts_used(), row.uses_budget ? 3 : 2);
  EXPECT_EQ(changed.next_attempt(), 3);
  EXPECT_GE(follow_up.next_work->due_time_us(), kNow);
  EXPECT_FALSE(follow_up.next_work->has_rate_reservation());  // rate is reserved again
  EXPECT_FALSE(follow_up.next_work->has_acceptance());        // the acceptance is published once
}
INSTANTIATE_TEST_SUITE_P(
    Rows, FollowUpByErrorClass,
    testing::Values(
        ErrorClassRow{"too_many_requests", records::v1::ATTEMPT_OUTCOME_RATE_LIMITED, 20429, true,
                      false},
        ErrorClassRow{"queue_full", records::v1::ATTEMPT_OUTCOME_REFUSED, 21611, true, false},
        ErrorClassRow{"not_reached", records::v1::ATTEMPT_OUTCOME_NOT_SENT, 0, true, false},
        ErrorClassRow{"account", records::v1::ATTEMPT_OUTCOME_REFUSED, 20003, true, true},
        ErrorClassRow{"landline", records::v1::ATTEMPT_OUTCOME_REFUSED, 21614, false, false},
        ErrorClassRow{"content", records::v1::ATTEMPT_OUTCOME_REFUSED, 21617, false, false},
        ErrorClassRow{"sender", records::v1::ATTEMPT_OUTCOME_REFUSED, 21606, false, false},
        ErrorClassRow{"geography", records::v1::ATTEMPT_OUTCOME_REFUSED, 21408, false, false},
        ErrorClassRow{"unknown_code", records::v1::ATTEMPT_OUTCOME_REFUSED, 99999, false, false}),
    [](const auto& row) { return row.param.name; });

TEST(FollowUpTest, DeadLettersWhenTheRetryBudgetIsExhausted) {
  const auto follow_up = Decided(Work(5), ResultOf(records::v1::ATTEMPT_OUTCOME_REFUSED, 20003));
  EXPECT_FALSE(follow_up.next_work);
  EXPECT_EQ(follow_up.events[0].attempt_changed().reason(), "RETRIES_EXHAUSTED");
}

TEST(FollowUpTest, DoesNotMeterRetriesAfterARateLimit) {  // R2
  records::v1::WorkRecord work = Work(5);
  for (int i = 0; i < 50; ++i) {
    auto follow_up = Decided(work, ResultOf(records::v1::ATTEMPT_OUTCOME_RATE_LIMITED));
    ASSERT_TRUE(follow_up.next_work);
    work = *follow_up.next_work;
  }
  EXPECT_EQ(work.retry_budget().attempts_used(), 5);
  EXPECT_EQ(work.retry_budget().unmetered_retries(), 50);
}

TEST(FollowUpTest, NeverRetriesAfterTheExpireTime) {  // A5
  records::v1::WorkRecord work = Work();
  work.set_expire_time_us(kNow + 2'000'000);
  records::v1::AttemptResult result = ResultOf(records::v1::ATTEMPT_OUTCOME_RATE_LIMITED);
  result.set_retry_after_us(2'000'000);
  const auto follow_up = Decided(work, result);
  EXPECT_FALSE(follow_up.next_work);
  EXPECT_EQ(follow_up.events[0].attempt_changed().reason(), "EXPIRED");
}

TEST(FollowUpTest, PublishesAnOptOutAndNoDeadLetter) {  // S4
  const auto follow_up = Decided(Work(), ResultOf(records::v1::ATTEMPT_OUTCOME_REFUSED, 21610));
  EXPECT_EQ(follow_up.events[0].attempt_changed().status(), v1::ATTEMPT_STATUS_SUPPRESSED);
  ASSERT_TRUE(follow_up.consent);
  EXPECT_EQ(follow_up.consent->state(), records::v1::CONSENT_STATE_OPTED_OUT);
  EXPECT_EQ(follow_up.consent->sender_address(), "+15017122661");
  EXPECT_FALSE(follow_up.next_work || follow_up.dead);
}

TEST(FollowUpTest, SchedulesOnlyALookupForAnAttemptInDoubt) {  // R4
  const auto in_doubt = Decided(Work(), ResultOf(records::v1::ATTEMPT_OUTCOME_IN_DOUBT));
  ASSERT_THAT(in_doubt.events, SizeIs(1));
  EXPECT_EQ(in_doubt.events[0].attempt_changed().status(), v1::ATTEMPT_STATUS_IN_DOUBT);
  ASSERT_TRUE(in_doubt.next_work);
  EXPECT_EQ(in_doubt.next_work->kind(), records::v1::WORK_KIND_RESOLVE);
  EXPECT_EQ(in_doubt.next_work->attempt().attempt(), 1);
  EXPECT_FALSE(in_doubt.next_work->has_acceptance() || in_doubt.dead);
}

records::v1::AttemptResult Absent() {
  records::v1::AttemptResult result = ResultOf(records::v1::ATTEMPT_OUTCOME_UNRESOLVED);
  result.set_status(v1::ATTEMPT_STATUS_FAILED);
  result.set_reason("NOT_RECEIVED");
  result.set_resolved_by(v1::RESOLVED_BY_LIST_ABSENCE);
  return result;
}

TEST(FollowUpTest, SendsAgainWhatTheProviderNeverReceivedUnmetered) {  // R4
  const auto follow_up = Decided(Work(5), Absent());                   // the budget is used up
  ASSERT_THAT(follow_up.events, SizeIs(1));
  const records::v1::AttemptChanged& changed = follow_up.events[0].attempt_changed();
  EXPECT_EQ(changed.status(), v1::ATTEMPT_STATUS_FAILED);
  EXPECT_EQ(changed.reason(), "NOT_RECEIVED");
  EXPECT_EQ(changed.resolved_by(), v1::RESOLVED_BY_LIST_ABSENCE);
  EXPECT_NE(changed.note().find("sending again"), std::string::npos);
  EXPECT_EQ(changed.next_attempt(), 6);
  ASSERT_TRUE(follow_up.next_work);
  EXPECT_EQ(follow_up.next_work->retry_budget().attempts_used(), 5);
  EXPECT_EQ(follow_up.next_work->retry_budget().unmetered_retries(), 1);
  EXPECT_FALSE(follow_up.dead);
}

TEST(FollowUpTest, DeadLettersWhatTheProviderNeverReceivedAfterTheExpireTime) {  // A5
  records::v1::WorkRecord work = Work();
  work.set_expire_time_us(kNow);
  const auto follow_up = Decided(work, Absent());
  EXPECT_TRUE(follow_up.events[0].attempt_changed().last());
  EXPECT_FALSE(follow_up.next_work);
  ASSERT_TRUE(follow_up.dead);
  EXPECT_EQ(follow_up.dead->reason(), "NOT_RECEIVED");
}

TEST(FollowUpTest, DecidesTheSameFromTheLogForWhatTheProviderNeverReceived) {  // R1, R6
  const auto follow_up = Decided(Work(), Absent());
  const auto known = KnownAttemptOf(follow_up.events[0]);
  ASSERT_TRUE(known);
  EXPECT_EQ(known->result.outcome(), records::v1::ATTEMPT_OUTCOME_UNRESOLVED);
  const auto again = Decided(Work(), known->result);
  EXPECT_EQ(again.events[0].SerializeAsString(), follow_up.events[0].SerializeAsString());
  EXPECT_EQ(again.next_work->SerializeAsString(), follow_up.next_work->SerializeAsString());
}

TEST(FollowUpTest, UsesDifferentEventIdsForAFailureBeforeAndAfterAcceptance) {
  const auto before = Decided(Work(5), ResultOf(records::v1::ATTEMPT_OUTCOME_REFUSED, 20003));
  records::v1::WebhookRecord callback;
  callback.set_kind(records::v1::WEBHOOK_KIND_SMS_STATUS);
  *callback.mutable_attempt() = Work(5).attempt();
  callback.set_provider_sid("SM1");
  callback.set_provider_code(30008);
  twilio::SetProviderStatus(callback, "failed");
  ASSERT_TRUE(IsRetryable(callback));
  const auto after = DecideAfterUndelivered(Work(5), callback, {});
  EXPECT_NE(before.events[0].event_id(), after.events[0].event_id());
}

records::v1::WebhookRecord EndOfCall(const char* word, const char* answered_by = "") {
  records::v1::WebhookRecord callback;
  callback.set_kind(records::v1::WEBHOOK_KIND_VOICE_STATUS);
  *callback.mutable_attempt() = Work().attempt();
  callback.set_provider_sid("CA1");
  callback.set_answered_by(twilio::AnsweredByOf(answered_by));
  twilio::SetProviderStatus(callback, word);
  callback.set_receive_time_us(kNow);
  return callback;
}

records::v1::WorkRecord Call(std::int32_t placed) {
  records::v1::WorkRecord work = Work();
  work.set_channel(v1::CHANNEL_VOICE);
  work.mutable_retry_budget()->set_calls_placed(placed);
  return work;
}

TEST(FollowUpTest, RetriesACallThatReachedNobody) {  // V3
  ASSERT_TRUE(IsRetryable(EndOfCall("busy")));
  const auto follow_up = DecideAfterUndelivered(Call(1), EndOfCall("busy"), {});
  ASSERT_TRUE(follow_up.next_work);
  EXPECT_EQ(follow_up.next_work->due_time_us(), kNow + kHour / 30);
  EXPECT_EQ(follow_up.next_work->retry_budget().calls_placed(), 2);
  EXPECT_EQ(follow_up.next_work->retry_budget().attempts_used(),
            1);  // metered retries are for refused attempts
  const records::v1::AttemptChanged& changed = follow_up.events.at(0).attempt_changed();
  EXPECT_EQ(changed.status(), v1::ATTEMPT_STATUS_BUSY);
  EXPECT_EQ(changed.next_attempt(), 2);
  EXPECT_EQ(changed.reason(), "");
  EXPECT_FALSE(changed.last() || follow_up.dead);
  EXPECT_EQ(KnownAttemptOf(follow_up.events[0])->undelivered_time, FromUnixMicros(kNow));
}

TEST(FollowUpTest, DeadLettersACallWhenCallsAreExhaustedOrExpired) {  // V3, A5
  const auto used_up = DecideAfterUndelivered(Call(6), EndOfCall("no-answer"), {});
  EXPECT_FALSE(used_up.next_work);
  ASSERT_TRUE(used_up.dead);
  EXPECT_EQ(used_up.dead->reason(), "RETRIES_EXHAUSTED");
  EXPECT_TRUE(used_up.events.at(0).attempt_changed().last());
  records::v1::WorkRecord late = Call(1);
  late.set_expire_time_us(kNow + kHour / 60);
  EXPECT_EQ(DecideAfterUndelivered(late, EndOfCall("busy"), {}).dead->reason(), "EXPIRED");
}

TEST(FollowUpTest, PublishesNoDeadLetterAfterAMachineAnswered) {  // V3, V5
  const auto follow_up =
      DecideAfterUndelivered(Call(6), EndOfCall("completed", "machine_start"), {});
  EXPECT_EQ(follow_up.events.at(0).attempt_changed().status(), v1::ATTEMPT_STATUS_ANSWERED_MACHINE);
  EXPECT_TRUE(follow_up.events.at(0).attempt_changed().last());
  EXPECT_FALSE(follow_up.next_work || follow_up.dead);
}

TEST(FollowUpTest, UsesDifferentEventIdsForDifferentResults) {  // R1
  records::v1::AttemptResult later = ResultOf(records::v1::ATTEMPT_OUTCOME_IN_DOUBT);
  later.set_end_time_us(kNow + 1);
  const auto first = Decided(Work(), ResultOf(records::v1::ATTEMPT_OUTCOME_IN_DOUBT));
  const auto second = Decided(Work(), later);
  EXPECT_NE(first.events[0].event_id(), second.events[0].event_id());
}

// Golden values: a repetition after an upgrade must have the same ids.
TEST(FollowUpTest, KeepsItsEventIds) {  // R1
  records::v1::AttemptResult result = ResultOf(records::v1::ATTEMPT_OUTCOME_ACCEPTED);
  result.set_provider_sid("SM1");
  EXPECT_EQ(Decided(Work(), result).events[0].event_id(), "82998f05-b802-5ba4-b5ae-9bd98f96b654");
  EXPECT_EQ(AttemptStarted(Work(), kNow, kNow + 1, "main", "AC1").event_id(),
            "31801171-ba8d-5312-86b4-ded781034268");
}

TEST(BackoffTest, StaysBelowItsCapAndNeverUnderRetryAfter) {  // R2
  const BackoffPolicy policy;
  for (std::int32_t attempt = 1; attempt < 40; ++attempt) {
    const Micros wait = BackoffDelay(policy, attempt, "seed" + std::to_string(attempt), Micros(0));
    EXPECT_GE(wait, Micros(0));
    EXPECT_LE(wait,
              std::min(policy.cap, policy.base * (std::int64_t{1} << std::min(attempt - 1, 30))));
  }
  EXPECT_GE(BackoffDelay(policy, 1, "s", std::chrono::hours(1)), Micros(std::chrono::hours(1)));
}

}  // namespace
}  // namespace tocsin
