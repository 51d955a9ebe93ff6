#include "common/domain/plan/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/domain/delivery/due_time.h"
#include "common/domain/delivery/follow_up.h"
#include "common/domain/delivery/known_attempt.h"

namespace tocsin {
namespace {

using std::chrono::minutes;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr WallTime kBegin{std::chrono::hours(1'000)};

void AddTarget(records::v1::Plan& plan, std::int32_t plan_step, const std::string& person,
               v1::Channel channel, Micros wait = {}) {
  records::v1::PlannedTarget& target = *plan.add_targets();
  target.set_plan_step(plan_step);
  target.set_wait_us(wait.count());
  target.set_person(person);
  target.set_channel(channel);
  target.mutable_recipient()->set_token("token of " + person);
  target.mutable_content()->set_ciphertext("text for " + person);
  target.mutable_key()->set_dek_id("key of " + person);
  target.set_body_digest("digest");
  target.set_segment_count(channel == v1::CHANNEL_SMS ? 2 : 0);
  target.set_sender_id("sender of " + person);
  target.set_ack_code("1234");
}

// A message to ann; after 2 min a call to ann; after 3 min calls to ben and cleo.
records::v1::WorkRecord FirstWork() {
  records::v1::WorkRecord work;
  work.mutable_attempt()->set_alert_id("0190aaaa-0000-7000-8000-000000000000");
  work.mutable_attempt()->set_step(1);
  work.mutable_attempt()->set_attempt(1);
  work.set_kind(records::v1::WORK_KIND_ATTEMPT);
  work.set_client_id("hospital");
  work.set_priority(v1::PRIORITY_HIGH);
  work.set_channel(v1::CHANNEL_SMS);
  work.set_create_time_us(ToUnixMicros(kBegin));
  work.set_first_publish_time_us(ToUnixMicros(kBegin));
  work.set_expire_time_us(ToUnixMicros(kBegin + std::chrono::hours(4)));
  work.set_send_time_us(ToUnixMicros(kBegin));
  (*work.mutable_labels())["ward"] = "7";
  work.set_in_doubt_policy(v1::IN_DOUBT_POLICY_FAIL);
  work.mutable_retry_budget()->set_attempts_used(1);
  work.mutable_retry_budget()->set_attempts_max(5);
  work.mutable_acceptance()->set_nonce("nonce");
  records::v1::Plan& plan = *work.mutable_plan();
  plan.mutable_goal()->set_reach(v1::REACH_ACKNOWLEDGED);
  plan.mutable_goal()->set_person_count(2);
  plan.mutable_goal()->set_deadline_us(ToUnixMicros(kBegin + minutes(15)));
  AddTarget(plan, 1, "ann", v1::CHANNEL_SMS);
  AddTarget(plan, 2, "ann", v1::CHANNEL_VOICE, minutes(2));
  AddTarget(plan, 3, "ben", v1::CHANNEL_VOICE, minutes(3));
  AddTarget(plan, 3, "cleo", v1::CHANNEL_VOICE, minutes(3));
  return work;
}

// The record of the target with this number, as the steps before it publish it.
records::v1::WorkRecord WorkOf(std::int32_t number) {
  records::v1::WorkRecord work = FirstWork();
  for (std::int32_t at = 1; at < number; ++at) {
    std::vector<records::v1::WorkRecord> next = RecordsAtStart(work, kBegin);
    const auto found = std::ranges::find_if(next, [&](const records::v1::WorkRecord& record) {
      return record.kind() == records::v1::WORK_KIND_ATTEMPT;
    });
    if (found == next.end()) break;
    work = *found;
    if (work.attempt().step() == number) break;
  }
  return work;
}

std::vector<std::int32_t> StepsOf(const std::vector<records::v1::WorkRecord>& records) {
  std::vector<std::int32_t> steps;
  for (const records::v1::WorkRecord& record : records) steps.push_back(record.attempt().step());
  return steps;
}

TEST(PlanTest, TheFirstStepPublishesTheSecondAndTheDeadline) {
  const auto records = RecordsAtStart(FirstWork(), kBegin + minutes(1));
  ASSERT_THAT(records, SizeIs(2));
  EXPECT_EQ(records[0].kind(), records::v1::WORK_KIND_DEADLINE);
  EXPECT_EQ(records[0].due_time_us(), ToUnixMicros(kBegin + minutes(15)));
  EXPECT_EQ(records[1].attempt().step(), 2);
  EXPECT_EQ(records[1].attempt().attempt(), 1);
  EXPECT_EQ(records[1].due_time_us(), ToUnixMicros(kBegin + minutes(3)));
}

TEST(PlanTest, APublishedTargetIsACompleteWorkRecord) {
  const records::v1::WorkRecord work = WorkOf(2);
  EXPECT_EQ(work.kind(), records::v1::WORK_KIND_ATTEMPT);
  EXPECT_EQ(work.client_id(), "hospital");
  EXPECT_EQ(work.priority(), v1::PRIORITY_HIGH);
  EXPECT_EQ(work.channel(), v1::CHANNEL_VOICE);
  EXPECT_EQ(work.recipient().token(), "token of ann");
  EXPECT_EQ(work.content().ciphertext(), "text for ann");
  EXPECT_EQ(work.key().dek_id(), "key of ann");
  EXPECT_EQ(work.sender_id(), "sender of ann");
  EXPECT_EQ(work.body_digest(), "digest");
  EXPECT_EQ(work.ack_code(), "1234");
  EXPECT_EQ(work.labels().at("ward"), "7");
  EXPECT_EQ(work.in_doubt_policy(), v1::IN_DOUBT_POLICY_FAIL);
  EXPECT_EQ(work.expire_time_us(), FirstWork().expire_time_us());
  EXPECT_EQ(work.retry_budget().attempts_used(), 1);
  EXPECT_EQ(work.retry_budget().attempts_max(), 5);
  EXPECT_EQ(work.retry_budget().calls_placed(), 1);
  EXPECT_FALSE(work.has_acceptance());
  EXPECT_EQ(PersonOf(work), "ann");
}

TEST(PlanTest, ContentsAreKeptOnlyForLaterTargets) {
  const records::v1::Plan plan = WorkOf(2).plan();
  ASSERT_EQ(plan.targets_size(), 4);
  EXPECT_FALSE(plan.targets(0).has_content());
  EXPECT_FALSE(plan.targets(1).has_content());
  EXPECT_FALSE(plan.targets(1).has_recipient());
  EXPECT_EQ(plan.targets(1).person(), "ann");
  EXPECT_TRUE(plan.targets(2).has_content());
  EXPECT_TRUE(plan.targets(3).has_content());
  for (const records::v1::WorkRecord& record : RecordsAtStart(FirstWork(), kBegin)) {
    if (record.kind() != records::v1::WORK_KIND_DEADLINE) continue;
    EXPECT_FALSE(record.has_content());
    for (const auto& target : record.plan().targets()) EXPECT_FALSE(target.has_content());
  }
}

TEST(PlanTest, TheFirstTargetOfAStepPublishesTheOthers) {
  const records::v1::WorkRecord ben = WorkOf(3);
  ASSERT_EQ(PersonOf(ben), "ben");
  const auto records = RecordsAtStart(ben, kBegin + minutes(6));
  EXPECT_THAT(StepsOf(records), ElementsAre(4));
  EXPECT_EQ(PersonOf(records[0]), "cleo");
  EXPECT_EQ(records[0].due_time_us(), ToUnixMicros(kBegin + minutes(6)));
  EXPECT_THAT(RecordsAtStart(records[0], kBegin), IsEmpty()) << "not the first target of its step";
}

TEST(PlanTest, OnlyTheFirstAttemptPublishesWhatFollows) {
  records::v1::WorkRecord retry = FirstWork();
  retry.mutable_attempt()->set_attempt(2);
  EXPECT_THAT(RecordsAtStart(retry, kBegin), IsEmpty());
}

TEST(PlanTest, AFailedTargetPublishesTheNextStepAtOnce) {
  const auto records = RecordsAfterFailure(WorkOf(2), kBegin + minutes(4));
  EXPECT_THAT(StepsOf(records), ElementsAre(3));
  EXPECT_EQ(records[0].due_time_us(), ToUnixMicros(kBegin + minutes(4)));
  EXPECT_THAT(RecordsAfterFailure(WorkOf(3), kBegin), IsEmpty()) << "the last step";
}

// The first step may fail before the send time, such as by an opt-out.
TEST(PlanTest, NoTargetIsDueBeforeTheSendTime) {
  records::v1::WorkRecord work = FirstWork();
  work.set_send_time_us(ToUnixMicros(kBegin + minutes(30)));
  for (const records::v1::WorkRecord& next : RecordsAfterFailure(work, kBegin))
    EXPECT_EQ(DueTime(next), kBegin + minutes(30));
}

TEST(PlanTest, ARepetitionHasIdenticalBytes) {
  const auto first = RecordsAtStart(FirstWork(), kBegin);
  const auto second = RecordsAtStart(FirstWork(), kBegin);
  ASSERT_EQ(first.size(), second.size());
  for (size_t i = 0; i < first.size(); ++i)
    EXPECT_EQ(first[i].SerializeAsString(), second[i].SerializeAsString());
}

TEST(PlanTest, TheClaimChecksTheStepBeforeOnlyForTheFirstAttempt) {
  EXPECT_THAT(PlanConditionOf(FirstWork())->before, IsEmpty());
  records::v1::WorkRecord ben = WorkOf(3);
  const PlanCondition condition = *PlanConditionOf(ben);
  EXPECT_EQ(condition.goal, v1::REACH_ACKNOWLEDGED);
  EXPECT_EQ(condition.person_count, 2);
  EXPECT_EQ(condition.person, "ben");
  EXPECT_THAT(condition.before, ElementsAre(2));
  EXPECT_EQ(condition.wait, minutes(3));
  ben.mutable_attempt()->set_attempt(2);
  EXPECT_THAT(PlanConditionOf(ben)->before, IsEmpty());
}

TEST(PlanTest, AnAlertWithoutAPlanHasNoCondition) {
  records::v1::WorkRecord work = FirstWork();
  work.clear_plan();
  EXPECT_FALSE(PlanConditionOf(work));
  EXPECT_EQ(PersonOf(work), "");
  EXPECT_THAT(RecordsAtStart(work, kBegin), IsEmpty());
  EXPECT_THAT(RecordsAfterFailure(work, kBegin), IsEmpty());
}

TEST(PlanTest, AStepOutsideThePlanIsIgnored) {  // a record of a later version
  records::v1::WorkRecord work = FirstWork();
  for (const std::int32_t step : {0, 5}) {
    work.mutable_attempt()->set_step(step);
    EXPECT_FALSE(PlanConditionOf(work));
    EXPECT_THAT(RecordsAtStart(work, kBegin), IsEmpty());
    EXPECT_THAT(RecordsAfterFailure(work, kBegin), IsEmpty());
  }
}

TEST(PlanTest, ACallThatHasEndedCannotBeAcknowledgedAnyMore) {
  const auto cannot = [](v1::AttemptStatus status, v1::Channel channel, v1::Reach goal) {
    return CannotReachGoal(status, channel, goal);
  };
  EXPECT_TRUE(cannot(v1::ATTEMPT_STATUS_DELIVERED, v1::CHANNEL_VOICE, v1::REACH_ACKNOWLEDGED));
  EXPECT_TRUE(cannot(v1::ATTEMPT_STATUS_DELIVERED, v1::CHANNEL_VOICE, v1::REACH_HUMAN));
  EXPECT_FALSE(cannot(v1::ATTEMPT_STATUS_DELIVERED, v1::CHANNEL_VOICE, v1::REACH_DELIVERED));
  EXPECT_FALSE(cannot(v1::ATTEMPT_STATUS_DELIVERED, v1::CHANNEL_SMS, v1::REACH_ACKNOWLEDGED));
  EXPECT_FALSE(cannot(v1::ATTEMPT_STATUS_ANSWERED_MACHINE, v1::CHANNEL_VOICE, v1::REACH_HUMAN))
      << "not final";
  EXPECT_FALSE(cannot(v1::ATTEMPT_STATUS_SENT, v1::CHANNEL_SMS, v1::REACH_DELIVERED));
  for (const auto status :
       {v1::ATTEMPT_STATUS_UNDELIVERED, v1::ATTEMPT_STATUS_FAILED, v1::ATTEMPT_STATUS_BUSY,
        v1::ATTEMPT_STATUS_NO_ANSWER, v1::ATTEMPT_STATUS_SUPPRESSED, v1::ATTEMPT_STATUS_REJECTED})
    EXPECT_TRUE(cannot(status, v1::CHANNEL_SMS, v1::REACH_DELIVERED)) << status;
}

TEST(PlanTest, TheEventOfAMissedGoalHasTheTimeOfTheDeadline) {
  const auto records = RecordsAtStart(FirstWork(), kBegin);
  const records::v1::Event event = GoalMissedEvent(records.front());
  EXPECT_EQ(event.time_us(), ToUnixMicros(kBegin + minutes(15)));
  EXPECT_EQ(event.attempt().step(), 0);
  EXPECT_EQ(event.client_id(), "hospital");
  EXPECT_EQ(event.goal_missed().goal().person_count(), 2);
  EXPECT_EQ(event.SerializeAsString(), GoalMissedEvent(records.front()).SerializeAsString());
}

TEST(PlanTest, NoStepIsLeftAfterTheLastStepAndAllCalls) {
  records::v1::WorkRecord work = FirstWork();
  EXPECT_THAT(LastTargetsOf(work), ElementsAre(2, 3, 4)) << "ann may reply to the message";
  work.mutable_plan()->mutable_goal()->clear_deadline_us();
  EXPECT_THAT(LastTargetsOf(work), IsEmpty());
}

TEST(PlanTest, TheEventOfAnExhaustedPlanIsOfTheAlert) {
  const records::v1::Event event = PlanExhaustedEvent(WorkOf(3), kBegin + minutes(6));
  EXPECT_EQ(event.time_us(), ToUnixMicros(kBegin + minutes(6)));
  EXPECT_EQ(event.attempt().step(), 0);
  EXPECT_EQ(event.plan_exhausted().goal().person_count(), 2);
  EXPECT_EQ(event.SerializeAsString(),
            PlanExhaustedEvent(FirstWork(), kBegin + minutes(6)).SerializeAsString());
}

// What a result publishes.

records::v1::AttemptResult ResultOf(records::v1::AttemptOutcome outcome,
                                    v1::AttemptStatus status = v1::ATTEMPT_STATUS_UNSPECIFIED) {
  records::v1::AttemptResult result;
  result.set_outcome(outcome);
  result.set_status(status);
  result.set_end_time_us(ToUnixMicros(kBegin));
  return result;
}

TEST(PlanFollowUpTest, AnAcceptedAttemptPublishesNothingMore) {
  const FollowUp follow_up =
      Decide(FirstWork(), ResultOf(records::v1::ATTEMPT_OUTCOME_ACCEPTED), {}, "");
  EXPECT_FALSE(follow_up.target_failed);
  EXPECT_THAT(follow_up.plan_work, IsEmpty());
}

TEST(PlanFollowUpTest, ARefusedTargetStartsTheNextStep) {
  records::v1::AttemptResult refused = ResultOf(records::v1::ATTEMPT_OUTCOME_REFUSED);
  refused.set_error_class(records::v1::PROVIDER_ERROR_CLASS_PERMANENT_NUMBER);
  const FollowUp follow_up = Decide(FirstWork(), refused, {}, "");
  EXPECT_TRUE(follow_up.target_failed);
  EXPECT_THAT(StepsOf(follow_up.plan_work), ElementsAre(2));
}

TEST(PlanFollowUpTest, ARetryKeepsTheNextStepWaiting) {
  const FollowUp follow_up =
      Decide(FirstWork(), ResultOf(records::v1::ATTEMPT_OUTCOME_RATE_LIMITED), {}, "");
  EXPECT_TRUE(follow_up.next_work);
  EXPECT_TRUE(follow_up.next_work->has_plan());
  EXPECT_FALSE(follow_up.target_failed);
  EXPECT_THAT(follow_up.plan_work, IsEmpty());
}

// Its start would have published them.
TEST(PlanFollowUpTest, AnAttemptThatIsNotMadePublishesTheDeadlineAndTheOtherTargetsToo) {
  const FollowUp first = Decide(
      FirstWork(),
      ResultOf(records::v1::ATTEMPT_OUTCOME_NOT_ATTEMPTED, v1::ATTEMPT_STATUS_SUPPRESSED), {}, "");
  EXPECT_TRUE(first.target_failed);
  EXPECT_THAT(StepsOf(first.plan_work), ElementsAre(1, 2));
  EXPECT_EQ(first.plan_work[0].kind(), records::v1::WORK_KIND_DEADLINE);
  const FollowUp third = Decide(
      WorkOf(3), ResultOf(records::v1::ATTEMPT_OUTCOME_NOT_ATTEMPTED, v1::ATTEMPT_STATUS_CANCELLED),
      {}, "");
  EXPECT_THAT(StepsOf(third.plan_work), ElementsAre(4));
}

TEST(PlanFollowUpTest, ACallThatEndedWithoutAnAcknowledgementStartsTheNextStep) {
  records::v1::WebhookRecord completed;
  completed.set_kind(records::v1::WEBHOOK_KIND_VOICE_STATUS);
  completed.set_status(v1::ATTEMPT_STATUS_DELIVERED);
  completed.set_receive_time_us(ToUnixMicros(kBegin));
  *completed.mutable_attempt() = WorkOf(2).attempt();
  const FollowUp follow_up = DecideAfterLastCallback(WorkOf(2), completed);
  EXPECT_TRUE(follow_up.target_failed);
  EXPECT_THAT(StepsOf(follow_up.plan_work), ElementsAre(3));
  EXPECT_THAT(follow_up.events, IsEmpty());
}

TEST(PlanFollowUpTest, ACallThatAPersonAnsweredReachesTheGoalHuman) {
  records::v1::WorkRecord work = WorkOf(2);
  work.mutable_plan()->mutable_goal()->set_reach(v1::REACH_HUMAN);
  records::v1::WebhookRecord completed;
  completed.set_kind(records::v1::WEBHOOK_KIND_VOICE_STATUS);
  completed.set_status(v1::ATTEMPT_STATUS_DELIVERED);
  completed.set_receive_time_us(ToUnixMicros(kBegin));
  *completed.mutable_attempt() = work.attempt();
  EXPECT_TRUE(DecideAfterLastCallback(work, completed).target_failed);
  completed.set_answered_by(v1::ANSWERED_BY_HUMAN);
  const FollowUp follow_up = DecideAfterLastCallback(work, completed);
  EXPECT_FALSE(follow_up.target_failed);
  EXPECT_THAT(follow_up.plan_work, IsEmpty());
}

TEST(PlanFollowUpTest, TheFirstEventOfAnAttemptContainsItsPersonAndTheGoal) {
  const records::v1::Event started = AttemptStarted(WorkOf(3), 1, 2, "main", "AC1");
  const FollowUp stopped = Decide(
      WorkOf(3), ResultOf(records::v1::ATTEMPT_OUTCOME_NOT_ATTEMPTED, v1::ATTEMPT_STATUS_CANCELLED),
      {}, "");
  for (const records::v1::Event& event : {started, stopped.events.front()}) {
    const std::optional<KnownAttempt> known = KnownAttemptOf(event);
    ASSERT_TRUE(known);
    EXPECT_EQ(known->person, "ben");
    EXPECT_EQ(known->person_count, 2);
    EXPECT_EQ(known->goal, v1::REACH_ACKNOWLEDGED);
  }
}

}  // namespace
}  // namespace tocsin
