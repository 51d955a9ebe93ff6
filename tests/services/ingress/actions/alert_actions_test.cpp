#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <string>
#include <utility>

#include "tests/services/ingress/actions/alert_actions_fixture.h"

namespace tocsin::ingress {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

TEST_F(AlertActionsTest, RespondsToACancelAfterItsEventIsOnDisk) {  // A2
  const auto response = Cancel("demo", alert_id);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->outcome(), v1::CANCEL_OUTCOME_CANCELLED);
  ASSERT_THAT(Events(), SizeIs(1));
  EXPECT_EQ(Events()[0].cancel_requested().outcome(), v1::CANCEL_OUTCOME_CANCELLED);
  EXPECT_EQ(Events()[0].attempt().alert_id(), alert_id);
  EXPECT_EQ(Events()[0].client_id(), "demo");
}

TEST_F(AlertActionsTest, PublishesTheSameEventForARepetition) {  // A2
  ASSERT_TRUE(Cancel("demo", alert_id));
  clock.Advance(std::chrono::minutes(1));
  ASSERT_TRUE(Cancel("demo", alert_id));
  ASSERT_THAT(Events(), SizeIs(2));
  EXPECT_EQ(Events()[0].SerializeAsString(), Events()[1].SerializeAsString());
}

TEST_F(AlertActionsTest, ACancelOfADeliveredAlertIsAlreadyEnded) {  // A2
  admissions.SetClaimed(alert_id);
  admissions.SetDelivered(alert_id);
  EXPECT_EQ(Cancel("demo", alert_id)->outcome(), v1::CANCEL_OUTCOME_ALREADY_ENDED);
  ASSERT_THAT(Events(), SizeIs(1));
  EXPECT_EQ(Events()[0].cancel_requested().outcome(), v1::CANCEL_OUTCOME_ALREADY_ENDED);
}

TEST_F(AlertActionsTest, ACancelOfAnAcknowledgedAlertIsAlreadyEnded) {  // A2, V6
  ASSERT_TRUE(Acknowledge("ann"));
  clock.Advance(std::chrono::minutes(1));
  EXPECT_EQ(Cancel("demo", alert_id)->outcome(), v1::CANCEL_OUTCOME_ALREADY_ENDED);
}

// The client of the acknowledgement got an error, and gave up.
TEST_F(AlertActionsTest, ACancelRecordsAnAcknowledgementThatIsOnlyInTheStore) {  // A2, V6
  log.SetOutcome(PublishOutcome::kNotPersisted);
  ASSERT_FALSE(Acknowledge("ann"));
  log.SetOutcome(PublishOutcome::kPersisted);
  clock.Advance(std::chrono::minutes(1));
  EXPECT_EQ(Cancel("demo", alert_id)->outcome(), v1::CANCEL_OUTCOME_ALREADY_ENDED);
  ASSERT_THAT(Events(), SizeIs(2));
  EXPECT_EQ(Events()[0].acknowledged().actor_id(), "ann");
  EXPECT_TRUE(Events()[1].has_cancel_requested());
}

TEST_F(AlertActionsTest, ACancelRecordsTheEventOfTheEarlierAcknowledgementAgain) {  // A2, V6
  ASSERT_TRUE(Acknowledge("ann"));
  clock.Advance(std::chrono::minutes(1));
  ASSERT_TRUE(Cancel("demo", alert_id));
  ASSERT_THAT(Events(), SizeIs(3));
  EXPECT_EQ(Events()[1].SerializeAsString(), Events()[0].SerializeAsString());
}

TEST_F(AlertActionsTest, ARepeatedCancelKeepsItsOutcomeThoughTheAlertWasAcknowledgedSince) {  // A2
  ASSERT_EQ(Cancel("demo", alert_id)->outcome(), v1::CANCEL_OUTCOME_CANCELLED);
  clock.Advance(std::chrono::minutes(1));
  actions.AcknowledgeByKeypress("demo", {.alert_id = alert_id, .step = 1, .evidence = "CA1"},
                                kTrace, [](const auto&) {});
  ASSERT_THAT(Events(), SizeIs(2));
  clock.Advance(std::chrono::minutes(1));
  EXPECT_EQ(Cancel("demo", alert_id)->outcome(), v1::CANCEL_OUTCOME_CANCELLED);
}

TEST_F(AlertActionsTest, ACancelThatCameTooLateHasTheTimeOfItsRequest) {  // A2
  admissions.SetClaimed(alert_id);
  ASSERT_EQ(Cancel("demo", alert_id)->outcome(), v1::CANCEL_OUTCOME_TOO_LATE);
  clock.Advance(std::chrono::minutes(1));
  admissions.SetDelivered(alert_id);
  ASSERT_EQ(Cancel("demo", alert_id)->outcome(), v1::CANCEL_OUTCOME_ALREADY_ENDED);
  ASSERT_THAT(Events(), SizeIs(2));
  EXPECT_NE(Events()[0].event_id(), Events()[1].event_id());
  EXPECT_EQ(Events()[1].time_us(), ToUnixMicros(clock.Now()))
      << "the timeline shows it after the delivery";
}

// Emergencies are also sent by workers that cannot use the store.
TEST_F(AlertActionsTest, AnEmergencyIsCancelledIfTheLogHasNoEarlierStart) {  // A2, R6
  const std::string keyed = MakeUuidV5("an emergency");
  Admit(keyed, true);
  for (const std::string& id : {keyed, Issue(true)}) {
    const auto response = Cancel("demo", id);
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->outcome(), v1::CANCEL_OUTCOME_CANCELLED);
  }
  EXPECT_THAT(CancelEvents(),
              ElementsAre(v1::CANCEL_OUTCOME_UNSPECIFIED, v1::CANCEL_OUTCOME_CANCELLED,
                          v1::CANCEL_OUTCOME_UNSPECIFIED, v1::CANCEL_OUTCOME_CANCELLED));
}

TEST_F(AlertActionsTest, ACancelAfterAStartInTheLogIsTooLate) {  // A2, R6
  const std::string keyed = MakeUuidV5("an emergency"), issued = Issue(true);
  Admit(keyed, true);
  for (const std::string& id : {keyed, issued}) StartByLog(id);
  for (const std::string& id : {keyed, issued}) {
    const auto response = Cancel("demo", id);
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->outcome(), v1::CANCEL_OUTCOME_TOO_LATE);
  }
}

TEST_F(AlertActionsTest, AnAlertOfWhichTheStoreKnowsNoPriorityMayBeAnEmergency) {  // A2, R6
  admissions.StartRestoring();
  AcceptedAlert accepted;
  accepted.alert_id = alert_id;
  accepted.client_id = "demo";
  accepted.idempotency_digest = "a key";
  accepted.create_time = clock.Now();
  ASSERT_TRUE(admissions.Restore({}, std::vector{accepted}));
  StartByLog(alert_id);
  EXPECT_EQ(Cancel("demo", alert_id)->outcome(), v1::CANCEL_OUTCOME_TOO_LATE);
}

TEST_F(AlertActionsTest, TheOutcomeIsNotGuessedIfTheLogCannotBeRead) {  // A2, R6
  const std::string id = Issue(true);
  history.unavailable = true;
  const auto response = Cancel("demo", id);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::kKafkaUnavailable);
  EXPECT_TRUE(response.error().retry_after);
  history.unavailable = false;
  EXPECT_EQ(Cancel("demo", id)->outcome(), v1::CANCEL_OUTCOME_CANCELLED);
}

TEST_F(AlertActionsTest, CancelsThatCameTooLateAddOneEventAMinuteAtMost) {  // A2
  admissions.SetClaimed(alert_id);
  admissions.SetDelivered(alert_id);
  ASSERT_TRUE(Cancel("demo", alert_id));
  for (int i = 0; i < 59; ++i) {
    clock.Advance(std::chrono::seconds(1));
    ASSERT_TRUE(Cancel("demo", alert_id));
    EXPECT_EQ(Events().back().SerializeAsString(), Events()[0].SerializeAsString());
  }
}

TEST_F(AlertActionsTest, EachMinuteWithACancelThatCameTooLateIsAnEventOfItsOwn) {  // A2
  admissions.SetClaimed(alert_id);
  admissions.SetDelivered(alert_id);
  ASSERT_TRUE(Cancel("demo", alert_id));
  clock.Advance(std::chrono::minutes(1));
  ASSERT_TRUE(Cancel("demo", alert_id));
  ASSERT_THAT(Events(), SizeIs(2));
  EXPECT_NE(Events()[0].time_us(), Events()[1].time_us());
  EXPECT_NE(Events()[0].event_id(), Events()[1].event_id()) << "events with equal ids are equal";
}

TEST_F(AlertActionsTest, TheAlertOfAnotherClientIsNotFound) {  // A2
  const auto response = Cancel("another", alert_id);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(Events(), IsEmpty());
}

// Without an idempotency key.
TEST_F(AlertActionsTest, CancelsAnAlertThatNoWorkerHasClaimedForItsClientOnly) {  // A2
  const std::string id = Issue();
  const auto foreign = Cancel("another", id);
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(Events(), IsEmpty());
  const auto cancelled = Cancel("demo", id);
  ASSERT_TRUE(cancelled) << cancelled.error().message;
  EXPECT_EQ(cancelled->outcome(), v1::CANCEL_OUTCOME_CANCELLED);
  EXPECT_THAT(Events(), SizeIs(1));
}

// The state of its attempts may be deleted by then: it would be reported as cancelled.
TEST_F(AlertActionsTest, AnAlertThatIsOverAndNotStoredIsNotFound) {  // A2
  const std::string id = Issue();
  clock.Advance(kAlertStateRetention + std::chrono::seconds(1));
  const auto late = Cancel("demo", id);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::kNotFound);
}

TEST_F(AlertActionsTest, NamesTheFieldOfAnInvalidRequest) {
  EXPECT_EQ(Cancel("demo", "17").error().field, "alert_id");
  for (const std::string& actor_id : {std::string(), std::string(65, 'x'), std::string("a\nb")})
    EXPECT_EQ(Acknowledge(actor_id).error().field, "actor_id");
}

TEST_F(AlertActionsTest, NeverRepeatsAnInvalidAlertId) {  // P3
  const std::string text = "+15145550123: the boiler is too hot!";
  ASSERT_EQ(text.size(), 36u);
  const Error cancel = Cancel("demo", text).error();
  EXPECT_EQ(cancel.code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(cancel.message, Not(HasSubstr("boiler")));
  v1::AcknowledgeRequest request;
  request.set_alert_id(text);
  request.set_actor_id("ann");
  Error acknowledge;
  actions.Acknowledge("demo", request, kTrace, [&](auto result) { acknowledge = result.error(); });
  EXPECT_EQ(acknowledge.field, "alert_id");
  EXPECT_THAT(acknowledge.message, Not(HasSubstr("boiler")));
  EXPECT_THAT(acknowledge.subject, IsEmpty());
}

TEST_F(AlertActionsTest, RefusesAnActorIdThatLooksLikePii) {  // P3
  for (const char* actor_id : {"ann@example.com", "+15145550123", "514 555 0123"}) {
    const auto response = Acknowledge(actor_id);
    ASSERT_FALSE(response) << actor_id;
    EXPECT_EQ(response.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(response.error().field, "actor_id");
    EXPECT_THAT(response.error().message, Not(HasSubstr("555")));
  }
  AlertActions lenient({clock, registry, admissions, vault, log, topics, start_check},
                       {.allow_pii_like_metadata = true});
  v1::AcknowledgeRequest request;
  request.set_alert_id(alert_id);
  request.set_actor_id("ann@example.com");
  bool accepted = false;
  lenient.Acknowledge("demo", request, kTrace, [&](auto result) { accepted = result.has_value(); });
  EXPECT_TRUE(accepted);
}

TEST_F(AlertActionsTest, ReportsWhoAcknowledgedFirst) {  // V6
  admissions.SetClaimed(alert_id);
  EXPECT_TRUE(Acknowledge("ann")->newly_acknowledged());
  EXPECT_FALSE(Acknowledge("bob")->newly_acknowledged());
  ASSERT_THAT(Events(), SizeIs(2));
  EXPECT_EQ(Events()[1].acknowledged().actor_id(), "ann");
  EXPECT_EQ(Events()[1].acknowledged().method(), v1::ACKNOWLEDGEMENT_METHOD_API);
}

TEST_F(AlertActionsTest, DoesNotAcknowledgeAnAlertThatACancellationEnded) {
  ASSERT_EQ(Cancel("demo", alert_id)->outcome(), v1::CANCEL_OUTCOME_CANCELLED);
  const size_t before = Events().size();
  const auto response = Acknowledge("ann");
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(response.error().field, "alert_id");
  EXPECT_THAT(Events(), SizeIs(before));
}

TEST_F(AlertActionsTest, RecordsAKeypressWithoutAnActor) {  // V4
  actions.AcknowledgeByKeypress("demo", {.alert_id = alert_id, .step = 1, .evidence = "CA1"},
                                kTrace, [](const auto&) {});
  ASSERT_THAT(Events(), SizeIs(1));
  EXPECT_EQ(Events()[0].acknowledged().step(), 1);
  EXPECT_EQ(Events()[0].acknowledged().evidence(), "CA1");
  EXPECT_EQ(Events()[0].acknowledged().method(), v1::ACKNOWLEDGEMENT_METHOD_KEYPRESS);
  EXPECT_EQ(Events()[0].acknowledged().actor_id(), "");
}

TEST_F(AlertActionsTest, AcceptsAnyNameThatPeopleWrite) {  // V6
  for (const char* actor_id : {"José", "Zoë Ångström", "佐藤", "àéÿ", "user-7"})
    EXPECT_TRUE(Acknowledge(actor_id)) << actor_id;
  for (const char* actor_id : {"", "a\nb", "\x7f", "\xc2\x85", "\xff", "Jos\xe9"})
    EXPECT_FALSE(Acknowledge(actor_id)) << actor_id;
}

TEST_F(AlertActionsTest, FailsWhileTheStoreOrTheLogDoesNotRespond) {
  admissions.SetDown(true);
  EXPECT_EQ(Cancel("demo", alert_id).error().code, ErrorCode::kRedisUnavailable);
  admissions.SetDown(false);
  log.SetOutcome(PublishOutcome::kNotPersisted);
  const auto response = Cancel("demo", alert_id);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::kKafkaUnavailable);
  EXPECT_TRUE(response.error().retry_after);
}

TEST_F(AlertActionsTest, RefusesAnAcknowledgementByAnInvalidPerson) {
  v1::AcknowledgeRequest request;
  request.set_alert_id(alert_id);
  request.set_actor_id("dispatcher");
  for (const char* person : {"two words", "+15145550123"}) {
    request.set_person(person);
    std::promise<Result<v1::AcknowledgeResponse>> response;
    actions.Acknowledge("demo", request, kTrace,
                        [&](auto result) { response.set_value(std::move(result)); });
    const auto refused = response.get_future().get();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().field, "person");
  }
}

}  // namespace
}  // namespace tocsin::ingress
