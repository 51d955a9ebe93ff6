#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <string>
#include <utility>

#include "tests/services/ingress/actions/alert_actions_fixture.h"

namespace tocsin::ingress {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

// The call of ann in a plan whose next step calls ben.
records::v1::WorkRecord ACallOfAPlan(const std::string& alert_id) {
  records::v1::WorkRecord work;
  work.mutable_attempt()->set_alert_id(alert_id);
  work.mutable_attempt()->set_step(1);
  work.mutable_attempt()->set_attempt(1);
  work.set_client_id("demo");
  work.set_priority(v1::PRIORITY_HIGH);
  work.set_channel(v1::CHANNEL_VOICE);
  for (const std::int32_t plan_step : {1, 2}) {
    records::v1::PlannedTarget& target = *work.mutable_plan()->add_targets();
    target.set_plan_step(plan_step);
    target.set_person(plan_step == 1 ? "ann" : "ben");
    target.set_channel(v1::CHANNEL_VOICE);
  }
  return work;
}

TEST_F(AlertActionsTest, ADeclineIsRecordedAndStartsTheNextStep) {  // V4
  for (const bool down : {false, true}) {
    admissions.SetDown(down);
    const size_t before = log.Records().size();
    std::promise<Status> done;
    actions.Decline({.work = ACallOfAPlan(alert_id), .call_sid = "CA1"}, kTrace,
                    [&](Status status) { done.set_value(std::move(status)); });
    ASSERT_TRUE(done.get_future().get());
    ASSERT_EQ(log.Records().size(), before + 2);
    const records::v1::Declined declined = Events().back().declined();
    EXPECT_EQ(declined.person(), "ann");
    EXPECT_EQ(declined.evidence(), "CA1");
    EXPECT_EQ(declined.step(), 1);
    records::v1::WorkRecord next;
    ASSERT_TRUE(next.ParseFromString(log.Records().back().value));
    EXPECT_EQ(next.attempt().step(), 2);
    EXPECT_EQ(log.Records().back().topic, topics.Lane(v1::CHANNEL_VOICE, v1::PRIORITY_HIGH));
  }
}

// If the mark is stored, each repetition has its call and time.
TEST_F(AlertActionsTest, ASecondDeclinePublishesTheEventOfTheFirst) {
  for (const char* call_sid : {"CA1", "CA1", "CA2"}) {
    std::promise<Status> done;
    actions.Decline({.work = ACallOfAPlan(alert_id), .call_sid = call_sid}, kTrace,
                    [&](Status status) { done.set_value(std::move(status)); });
    ASSERT_TRUE(done.get_future().get());
  }
  ASSERT_THAT(Events(), SizeIs(3));
  for (const auto& event : Events())
    EXPECT_EQ(event.SerializeAsString(), Events()[0].SerializeAsString());
}

TEST_F(AlertActionsTest, ADeclineInTheLastStepIsOnlyRecorded) {
  records::v1::WorkRecord work = ACallOfAPlan(alert_id);
  work.mutable_attempt()->set_step(2);
  std::promise<Status> done;
  actions.Decline({.work = work, .call_sid = "CA1"}, kTrace,
                  [&](Status status) { done.set_value(std::move(status)); });
  ASSERT_TRUE(done.get_future().get());
  EXPECT_THAT(log.Records(), SizeIs(1));
}

TEST_F(AlertActionsTest, ARepeatedDeclineKeepsItsFirstEvent) {  // V4
  const auto decline = [&](const std::string& call_sid) {
    std::promise<Status> done;
    actions.Decline({.work = ACallOfAPlan(alert_id), .call_sid = call_sid}, kTrace,
                    [&](Status status) { done.set_value(std::move(status)); });
    ASSERT_TRUE(done.get_future().get());
    clock.Advance(std::chrono::minutes(1));
  };
  decline("CA1");
  decline("CA2");
  ASSERT_THAT(Events(), SizeIs(2));
  EXPECT_EQ(Events()[0].SerializeAsString(), Events()[1].SerializeAsString());
}

TEST_F(AlertActionsTest, APersonWhoHasAcknowledgedDoesNotDeclineByKey) {  // V4, V6
  const records::v1::WorkRecord work = ACallOfAPlan(alert_id);
  const auto decline = [&] {
    std::promise<Status> done;
    actions.Decline({.work = work, .call_sid = "CA1"}, kTrace,
                    [&](Status status) { done.set_value(std::move(status)); });
    return done.get_future().get();
  };
  admissions.SetTarget(alert_id, 1, "ann", work.SerializeAsString(), 2);
  ASSERT_TRUE(Acknowledge("ann"));
  ASSERT_TRUE(decline());
  EXPECT_THAT(log.Records(), SizeIs(1)) << "only the acknowledgement";
}

// Replies of ann to the message of a plan whose next step calls ben.
class DeclineReplyTest : public AckReplyTest {
 protected:
  Result<AckReplyResult> ReplyNo(const std::string& code = "", const std::string& sid = "SM1") {
    std::promise<Result<AckReplyResult>> result;
    actions.ProcessReply({.kind = AckReplyKind::kDecline,
                          .recipient_token = "ann's token",
                          .code = code,
                          .message_sid = sid},
                         kTrace, [&](auto outcome) { result.set_value(std::move(outcome)); });
    return result.get_future().get();
  }
  std::string PlanWithCode(const std::string& code) {
    const std::string id = AlertWithCode(code);
    records::v1::WorkRecord work = ACallOfAPlan(id);
    work.set_channel(v1::CHANNEL_SMS);
    admissions.SetTarget(id, 1, "ann", work.SerializeAsString());
    return id;
  }
  std::vector<records::v1::WorkRecord> NextSteps() const {
    return log.On<records::v1::WorkRecord>(topics.Lane(v1::CHANNEL_VOICE, v1::PRIORITY_HIGH));
  }
};

TEST_F(DeclineReplyTest, APersonOfAPlanDeclinesAndTheNextStepStarts) {  // S7, V6
  const std::string id = PlanWithCode("1234");
  EXPECT_EQ(*ReplyNo(), AckReplyResult::kDeclined);
  ASSERT_THAT(Events(), SizeIs(1));
  EXPECT_EQ(Events()[0].attempt().alert_id(), id);
  EXPECT_EQ(Events()[0].client_id(), "demo");
  EXPECT_EQ(Events()[0].priority(), v1::PRIORITY_HIGH);
  const records::v1::Declined declined = Events()[0].declined();
  EXPECT_EQ(declined.method(), v1::ACKNOWLEDGEMENT_METHOD_REPLY);
  EXPECT_EQ(declined.step(), 1);
  EXPECT_EQ(declined.evidence(), "SM1");
  EXPECT_EQ(declined.person(), "ann");
  ASSERT_THAT(NextSteps(), SizeIs(1));
  EXPECT_EQ(NextSteps()[0].attempt().step(), 2);
  EXPECT_EQ(NextSteps()[0].due_time_us(), Events()[0].time_us());
}

TEST_F(DeclineReplyTest, ARepetitionHasTheSameResultInEveryInstance) {  // W5
  PlanWithCode("1234");
  log.SetOutcome(PublishOutcome::kUnknown);
  EXPECT_EQ(ReplyNo().error().code, ErrorCode::kOutcomeUnknown);
  log.SetOutcome(PublishOutcome::kPersisted);
  clock.Advance(std::chrono::minutes(1));
  PlanWithCode("4321");  // sent before Twilio repeats the request
  AlertActions other({clock, registry, admissions, vault, log, topics, start_check});
  std::promise<AckReplyResult> result;
  other.ProcessReply({.kind = AckReplyKind::kDecline,
                      .recipient_token = "ann's token",
                      .code = "",
                      .message_sid = "SM1"},
                     kTrace, [&](auto outcome) { result.set_value(outcome.value()); });
  EXPECT_EQ(result.get_future().get(), AckReplyResult::kDeclined);
  ASSERT_THAT(Events(), SizeIs(2));
  EXPECT_EQ(Events()[0].SerializeAsString(), Events()[1].SerializeAsString());
  EXPECT_THAT(NextSteps(), SizeIs(1));
}

TEST_F(DeclineReplyTest, FailsUntilTheNextStepIsPublished) {  // V6
  PlanWithCode("1234");
  int published = 0;
  log.BeforePublish([&] {
    if (++published == 2) log.SetOutcome(PublishOutcome::kNotPersisted);
  });
  EXPECT_EQ(ReplyNo().error().code, ErrorCode::kKafkaUnavailable);
  EXPECT_THAT(NextSteps(), IsEmpty());
  log.SetOutcome(PublishOutcome::kPersisted);
  EXPECT_EQ(*ReplyNo(), AckReplyResult::kDeclined);
  EXPECT_THAT(NextSteps(), SizeIs(1));
}

TEST_F(DeclineReplyTest, WithoutTheWorkRecordTheNextStepStartsAfterItsWait) {
  const std::string id = AlertWithCode("1234");
  admissions.SetTarget(id, 1, "ann", "");
  EXPECT_EQ(*ReplyNo(), AckReplyResult::kDeclined);
  EXPECT_EQ(Events().back().declined().person(), "ann");
  EXPECT_THAT(log.Records(), SizeIs(1));
}

TEST_F(DeclineReplyTest, WithoutAPlanItIsOnlyRecorded) {  // S7
  AlertWithCode("1234");
  EXPECT_EQ(*ReplyNo(), AckReplyResult::kRecorded);
  EXPECT_EQ(*ReplyNo(), AckReplyResult::kRecorded) << "a repetition";
  ASSERT_THAT(Events(), SizeIs(2));
  EXPECT_EQ(Events()[0].SerializeAsString(), Events()[1].SerializeAsString());
  EXPECT_EQ(Events()[0].declined().person(), "");
  EXPECT_EQ(Events()[0].declined().evidence(), "SM1");
  EXPECT_EQ(Reply("", "SM2"), AckReplyResult::kAcknowledged) << "it still waits";
}

TEST_F(DeclineReplyTest, SeveralAlertsNeedACode) {  // S7
  EXPECT_EQ(*ReplyNo(), AckReplyResult::kNoAlert);
  PlanWithCode("1234");
  const std::string second = PlanWithCode("4321");
  EXPECT_EQ(*ReplyNo(), AckReplyResult::kSeveral);
  EXPECT_EQ(*ReplyNo("9999"), AckReplyResult::kUnknownCode);
  EXPECT_THAT(Events(), IsEmpty());
  EXPECT_EQ(*ReplyNo("4321"), AckReplyResult::kDeclined);
  EXPECT_EQ(Events().back().attempt().alert_id(), second);
  EXPECT_EQ(*ReplyNo("", "SM2"), AckReplyResult::kDeclined) << "one is left";
}

TEST_F(DeclineReplyTest, HasNoEffectAfterTheAcknowledgementOfThisPerson) {  // V6
  PlanWithCode("1234");
  ASSERT_EQ(Reply("", "SM1"), AckReplyResult::kAcknowledged);
  for (const char* code : {"", "1234", "1234"})
    EXPECT_EQ(*ReplyNo(code, "SM2"), AckReplyResult::kAlreadyAcknowledged);
  EXPECT_THAT(log.Records(), SizeIs(1)) << "only the acknowledgement";
}

TEST_F(DeclineReplyTest, APersonWhoDeclinedMayAcknowledge) {  // V6
  PlanWithCode("1234");
  ASSERT_EQ(*ReplyNo("", "SM1"), AckReplyResult::kDeclined);
  EXPECT_EQ(Reply("", "SM2"), AckReplyResult::kAcknowledged);
  EXPECT_EQ(Events().back().acknowledged().person(), "ann");
  EXPECT_EQ(*ReplyNo("", "SM1"), AckReplyResult::kDeclined) << "repeated late";
  EXPECT_EQ(*ReplyNo("", "SM3"), AckReplyResult::kAlreadyAcknowledged);
}

TEST_F(DeclineReplyTest, ACancelledAlertIsNotDeclined) {
  const std::string id = AlertWithCode("1234");
  ASSERT_EQ(Cancel("demo", id)->outcome(), v1::CANCEL_OUTCOME_CANCELLED);
  const size_t before = Events().size();
  EXPECT_EQ(*ReplyNo(), AckReplyResult::kNoAlert);
  EXPECT_EQ(*ReplyNo("1234"), AckReplyResult::kNoAlert);
  EXPECT_THAT(Events(), SizeIs(before));
}

TEST_F(DeclineReplyTest, ACancellationThatCameTooLateDoesNotPreventIt) {
  const std::string id = PlanWithCode("1234");  // an attempt may be in progress
  ASSERT_EQ(Cancel("demo", id)->outcome(), v1::CANCEL_OUTCOME_TOO_LATE);
  EXPECT_EQ(*ReplyNo("1234"), AckReplyResult::kDeclined);
}

TEST_F(DeclineReplyTest, FailsWhileTheStoreDoesNotRespond) {
  PlanWithCode("1234");
  admissions.SetDown(true);
  EXPECT_EQ(ReplyNo().error().code, ErrorCode::kRedisUnavailable);
  EXPECT_THAT(log.Records(), IsEmpty());
}

}  // namespace
}  // namespace tocsin::ingress
