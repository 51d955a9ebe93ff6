#include "services/ingress/actions/alert_actions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <string>
#include <vector>

#include "common/base/uuid.h"
#include "common/domain/alert/issued_id.h"
#include "common/domain/delivery/log_claim.h"
#include "tests/fakes/admissions.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/record_history.h"
#include "tests/fakes/record_log.h"
#include "tests/fakes/registry.h"
#include "tests/fakes/vault.h"

namespace tocsin::ingress {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr const char* kTrace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

class AlertActionsTest : public testing::Test {
 protected:
  AlertActionsTest() { Admit(alert_id, false); }

  void Admit(const std::string& id, bool emergency) {
    AdmitRequest request;
    request.alert_id = id;
    request.client_id = "demo";
    request.nonce = "a nonce";
    request.create_time = clock.Now();
    request.emergency = emergency;
    admissions.Admit(request, [](const auto&) {});
  }
  // Without an idempotency key.
  std::string Issue(bool emergency = false) {
    return IssueAlertId({.create_time = clock.Now(),
                         .expire_time = clock.Now() + std::chrono::hours(24),
                         .emergency = emergency,
                         .client_id = "demo"},
                        "0123456789",
                        [this](std::string_view text) { return vault.DigestRequest(text); });
  }
  Result<v1::CancelResponse> Cancel(const std::string& client, const std::string& id) {
    v1::CancelRequest request;
    request.set_alert_id(id);
    std::promise<Result<v1::CancelResponse>> response;
    actions.Cancel(client, request, kTrace,
                   [&](auto result) { response.set_value(std::move(result)); });
    return response.get_future().get();
  }
  // Before everything that is published.
  void StartByLog(const std::string& id) {
    records::v1::Event event;
    event.mutable_attempt()->set_alert_id(id);
    event.mutable_attempt()->set_step(1);
    event.mutable_attempt()->set_attempt(1);
    event.mutable_attempt_changed()->set_status(v1::ATTEMPT_STATUS_SENDING);
    event.mutable_attempt_changed()->set_note(std::string(kStartedByLog));
    IncomingRecord record;
    record.position.set_topic(topics.Events());
    record.key = id;
    record.value = event.SerializeAsString();
    record.append_time = clock.Now();
    history.records.push_back(record);
  }
  std::vector<v1::CancelOutcome> CancelEvents() const {
    std::vector<v1::CancelOutcome> outcomes;
    for (const records::v1::Event& event : Events())
      outcomes.push_back(event.cancel_requested().outcome());
    return outcomes;
  }
  Result<v1::AcknowledgeResponse> Acknowledge(const std::string& actor_id) {
    v1::AcknowledgeRequest request;
    request.set_alert_id(alert_id);
    request.set_actor_id(actor_id);
    std::promise<Result<v1::AcknowledgeResponse>> response;
    actions.Acknowledge("demo", request, kTrace,
                        [&](auto result) { response.set_value(std::move(result)); });
    return response.get_future().get();
  }
  std::vector<records::v1::Event> Events() const {
    return log.On<records::v1::Event>(topics.Events());
  }

  const std::string alert_id = MakeUuidV5("an alert");
  ManualClock clock;
  RegistrySource registry{Built(TestRegistry())};
  FakeAdmissions admissions;
  FakeVault vault;
  FakeRecordLog log;
  Topics topics{"tocsin"};
  FakeRecordHistory history;
  LogStartCheck start_check{history};
  AlertActions actions{{clock, registry, admissions, vault, log, topics, start_check}};
};

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

TEST_F(AlertActionsTest, EachCancelThatCameTooLateIsAnEventOfItsOwn) {  // A2
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

class AckReplyTest : public AlertActionsTest {
 protected:
  AckReplyResult Reply(const std::string& code, const std::string& sid = "SM1") {
    AckReplyResult result{};
    actions.ProcessReply({.recipient_token = "ann's token", .code = code, .message_sid = sid},
                         kTrace, [&](Result<AckReplyResult> outcome) { result = outcome.value(); });
    return result;
  }
  std::string AlertWithCode(const std::string& code) {
    clock.Advance(std::chrono::milliseconds(1));  // another id
    const std::string id = Issue();
    Admit(id, false);
    admissions.SetAckCode("ann's token", id, code);
    return id;
  }
};

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
