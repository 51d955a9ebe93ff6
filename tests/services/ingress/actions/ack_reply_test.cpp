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

TEST_F(AckReplyTest, AcknowledgesTheOnlyAlertThatWaits) {  // V6, S7
  EXPECT_EQ(Reply(""), AckReplyResult::kNoAlert);
  const std::string id = AlertWithCode("1234");
  EXPECT_EQ(Reply(""), AckReplyResult::kAcknowledged);
  ASSERT_THAT(Events(), SizeIs(1));
  EXPECT_EQ(Events()[0].attempt().alert_id(), id);
  EXPECT_EQ(Events()[0].client_id(), "demo");
  EXPECT_EQ(Events()[0].acknowledged().method(), v1::ACKNOWLEDGEMENT_METHOD_REPLY);
  EXPECT_EQ(Events()[0].acknowledged().step(), 1);
  EXPECT_EQ(Events()[0].acknowledged().evidence(), "SM1");
  EXPECT_EQ(Reply("", "SM2"), AckReplyResult::kNoAlert);
  EXPECT_EQ(Reply("1234", "SM3"), AckReplyResult::kAlreadyAcknowledged);
}

TEST_F(AckReplyTest, ARepeatedReplyHasTheSameResultAndEvent) {  // W5
  AlertWithCode("1234");
  log.SetOutcome(PublishOutcome::kUnknown);
  Error error;
  actions.ProcessReply({.recipient_token = "ann's token", .code = "", .message_sid = "SM1"}, kTrace,
                       [&](auto outcome) { error = outcome.error(); });
  EXPECT_EQ(error.code, ErrorCode::kOutcomeUnknown);
  log.SetOutcome(PublishOutcome::kPersisted);
  AlertWithCode("4321");  // sent before Twilio repeats the request
  EXPECT_EQ(Reply(""), AckReplyResult::kAcknowledged);
  EXPECT_EQ(Events().back().acknowledged().evidence(), "SM1");
}

TEST_F(AckReplyTest, SeveralAlertsNeedACode) {  // S7
  const std::string first = AlertWithCode("1234");
  const std::string second = AlertWithCode("4321");
  EXPECT_EQ(Reply(""), AckReplyResult::kSeveral);
  EXPECT_EQ(Reply("9999"), AckReplyResult::kUnknownCode);
  EXPECT_THAT(Events(), IsEmpty());
  EXPECT_EQ(Reply("4321"), AckReplyResult::kAcknowledged);
  EXPECT_EQ(Events().back().attempt().alert_id(), second);
  EXPECT_EQ(Reply("", "SM2"), AckReplyResult::kAcknowledged);
  EXPECT_EQ(Events().back().attempt().alert_id(), first);
}

TEST_F(AckReplyTest, ACancelledAlertDoesNotWait) {
  const std::string id = AlertWithCode("1234");
  ASSERT_EQ(Cancel("demo", id)->outcome(), v1::CANCEL_OUTCOME_CANCELLED);
  const size_t before = Events().size();
  EXPECT_EQ(Reply(""), AckReplyResult::kNoAlert);
  EXPECT_EQ(Reply("1234"), AckReplyResult::kNoAlert);
  EXPECT_THAT(Events(), SizeIs(before));
}

TEST_F(AckReplyTest, FailsWhileTheStoreDoesNotRespond) {
  AlertWithCode("1234");
  admissions.SetDown(true);
  Error error;
  actions.ProcessReply({.recipient_token = "ann's token", .code = "", .message_sid = "SM1"}, kTrace,
                       [&](auto outcome) { error = outcome.error(); });
  EXPECT_EQ(error.code, ErrorCode::kRedisUnavailable);
}

}  // namespace
}  // namespace tocsin::ingress
