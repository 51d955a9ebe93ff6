#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>

#include "common/base/digest.h"
#include "common/base/encoding.h"
#include "common/domain/registry/registry.h"
#include "common/rpc/server.h"
#include "services/audit/projection/projection.h"
#include "services/audit/query/alert_reader.h"
#include "services/audit/rpc/admin_service.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/record_log.h"
#include "tests/fakes/registry.h"
#include "tests/fakes/vault.h"
#include "tests/services/audit/audit_database.h"
#include "tests/services/audit/record_builder.h"
#include "tests/services/audit/rpc/error_reason.h"

namespace tocsin::audit {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

const std::string kAdminKey = "admn1234-secret";
constexpr char kTraceparent[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

std::shared_ptr<const RegistrySnapshot> Operators() {
  RegistrySnapshot::Content content = TestRegistry();  // its client does not have scope admin
  content.clients.push_back(
      {"night-watch", {{kAdminKey.substr(0, 8), HexEncode(Sha256(kAdminKey)), {Scope::kAdmin}}}});
  return Built(std::move(content));
}

class DeadLettersTest : public testing::Test {
 protected:
  DeadLettersTest()
      : readers(AuditDatabase(), 2, 16),
        service({clock, registry, gate, readers, vault, published, topics},
                [](auto, auto, auto) {}),
        server(rpc::Server::Start({.address = "127.0.0.1:0"}, {&service}).value()),
        stub(v1::AdminService::NewStub(grpc::CreateChannel(
            "127.0.0.1:" + std::to_string(server->port()), grpc::InsecureChannelCredentials()))) {
    clock.Set(FromUnixMicros(kCreateTimeUs + 60'000'000));
  }
  ~DeadLettersTest() override {
    server->Drain(std::chrono::system_clock::now() + std::chrono::seconds(5));
    readers.Close();
  }

  void SetUp() override { ClearTables(AuditDatabase()); }

  void Apply(const std::vector<IncomingRecord>& records) { ASSERT_TRUE(projection.Apply(records)); }

  // The alert's first attempt failed for good. Nothing of it was sent unless a SID is given.
  v1::AttemptRef DeadLetter(int number, const std::string& sid = {}, bool projected = true) {
    IncomingRecord accepted = build.Accepted(AlertIdOf(number));
    records::v1::DeadLetterRecord dead;
    dead.mutable_work()->ParseFromString(accepted.value);
    if (plan.targets_size() > 0) *dead.mutable_work()->mutable_plan() = plan;
    accepted.value = dead.work().SerializeAsString();
    dead.mutable_work()->mutable_retry_budget()->set_attempts_used(5);
    dead.mutable_work()->mutable_retry_budget()->set_attempts_max(5);
    dead.set_reason("RETRIES_EXHAUSTED");
    dead.set_provider_code(30001);
    dead.set_time_us(kCreateTimeUs + number * 1'000'000LL);
    std::vector<IncomingRecord> records{accepted};
    if (projected)
      records.push_back(build.Changed(AlertIdOf(number), v1::ATTEMPT_STATUS_FAILED, 5, sid,
                                      "RETRIES_EXHAUSTED", 30001));
    records.push_back(build.Put(topics.Dead(v1::CHANNEL_SMS), dead.SerializeAsString(),
                                {{std::string(kHeaderTraceparent), kTraceparent}}));
    Apply(records);
    return dead.work().attempt();
  }

  // The attempt that was published last fails for good too. Of its events only QUEUED is projected.
  v1::AttemptRef DeadLetterOfPublished(const std::string& reason) {
    std::vector<IncomingRecord> records;
    for (const OutgoingRecord& record : published.Records())
      if (record.topic == topics.Events()) records.push_back(build.Put(record.topic, record.value));
    records::v1::DeadLetterRecord dead;
    *dead.mutable_work() = PublishedWork().back();
    dead.set_reason(reason);
    dead.set_time_us(kCreateTimeUs + 30'000'000);
    records.push_back(build.Put(topics.Dead(v1::CHANNEL_SMS), dead.SerializeAsString()));
    Apply(records);
    return dead.work().attempt();
  }

  std::vector<std::string> Listed(const v1::ListDeadLettersRequest& request = {}) {
    std::vector<std::string> alert_ids;
    EXPECT_EQ(List(request), "OK");
    for (const v1::DeadLetter& letter : page.dead_letters())
      alert_ids.push_back(letter.attempt().alert_id());
    return alert_ids;
  }
  v1::ListDeadLettersRequest WithStates(std::initializer_list<v1::DeadLetterState> states) {
    v1::ListDeadLettersRequest request;
    for (const v1::DeadLetterState state : states) request.add_states(state);
    return request;
  }
  std::string List(const v1::ListDeadLettersRequest& request, const std::string& key = kAdminKey) {
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer " + key);
    return ReasonOf(stub->ListDeadLetters(&context, request, &page));
  }
  std::string Redrive(const v1::AttemptRef& attempt, bool force = false) {
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer " + kAdminKey);
    v1::RedriveDeadLetterRequest request;
    *request.mutable_attempt() = attempt;
    request.set_force(force);
    return ReasonOf(stub->RedriveDeadLetter(&context, request, &redriven));
  }
  std::string Discard(const v1::AttemptRef& attempt, const std::string& reason) {
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer " + kAdminKey);
    v1::DiscardDeadLetterRequest request;
    *request.mutable_attempt() = attempt;
    request.set_reason(reason);
    v1::DiscardDeadLetterResponse response;
    return ReasonOf(stub->DiscardDeadLetter(&context, request, &response));
  }
  std::vector<records::v1::WorkRecord> PublishedWork() {
    return published.On<records::v1::WorkRecord>(topics.Lane(v1::CHANNEL_SMS, v1::PRIORITY_HIGH));
  }
  std::vector<std::string> PublishedActions() {
    std::vector<std::string> actions;
    for (const records::v1::Event& event : published.On<records::v1::Event>(topics.Events()))
      if (event.has_admin_action_recorded())
        actions.push_back(event.admin_action_recorded().actor_id() + ": " +
                          event.admin_action_recorded().action());
    return actions;
  }

  RecordBuilder build;
  records::v1::Plan plan;  // of the alerts; none without targets
  const Topics topics;
  ManualClock clock;
  FakeVault vault;
  FakeRecordLog published;
  RegistrySource registry{Operators()};
  rpc::AdmissionGate gate{registry};
  Projection projection{AuditDatabase(), "cluster", ProjectedTopics(Topics())};
  postgres::ReaderPool readers;
  AdminService service;
  std::unique_ptr<rpc::Server> server;
  std::unique_ptr<v1::AdminService::Stub> stub;
  v1::ListDeadLettersResponse page;
  v1::RedriveDeadLetterResponse redriven;
};

TEST_F(DeadLettersTest, AreListedNewestFirstInPagesForAdmins) {
  for (const int number : {1, 3, 2}) DeadLetter(number);
  EXPECT_THAT(Listed(), ElementsAre(AlertIdOf(3), AlertIdOf(2), AlertIdOf(1)));
  EXPECT_EQ(page.dead_letters(0).reason(), "RETRIES_EXHAUSTED");
  EXPECT_EQ(page.dead_letters(0).state(), v1::DEAD_LETTER_STATE_OPEN);
  EXPECT_FALSE(page.dead_letters(0).has_close_time());
  v1::ListDeadLettersRequest request;
  request.set_page_size(2);
  EXPECT_THAT(Listed(request), ElementsAre(AlertIdOf(3), AlertIdOf(2)));
  request.set_page_token(page.next_page_token());
  EXPECT_THAT(Listed(request), ElementsAre(AlertIdOf(1)));
  EXPECT_THAT(page.next_page_token(), IsEmpty());
  request.set_reason("IN_DOUBT");
  EXPECT_EQ(List(request), "INVALID_ARGUMENT:page_token");  // the token of another list
  request.clear_page_token();
  EXPECT_THAT(Listed(request), IsEmpty());
  request.clear_reason();
  request.set_channel(v1::CHANNEL_VOICE);
  EXPECT_THAT(Listed(request), IsEmpty());
  EXPECT_EQ(List(request, kTestKey), "PERMISSION_DENIED");
}

TEST_F(DeadLettersTest, AreListedByState) {
  for (const int number : {1, 2, 3, 4}) DeadLetter(number);
  v1::AttemptRef attempt;
  attempt.set_step(1);
  attempt.set_attempt(1);
  attempt.set_alert_id(AlertIdOf(2));
  EXPECT_EQ(Redrive(attempt), "OK");
  attempt.set_alert_id(AlertIdOf(3));
  EXPECT_EQ(Discard(attempt, "the ward is closed"), "OK");
  EXPECT_THAT(Listed(), ElementsAre(AlertIdOf(4), AlertIdOf(1)));
  EXPECT_THAT(Listed(WithStates({v1::DEAD_LETTER_STATE_REDRIVEN})), ElementsAre(AlertIdOf(2)));
  EXPECT_EQ(page.dead_letters(0).actor_id(), "night-watch");
  EXPECT_TRUE(page.dead_letters(0).has_close_time());
  EXPECT_THAT(Listed(WithStates({v1::DEAD_LETTER_STATE_DISCARDED})), ElementsAre(AlertIdOf(3)));
  EXPECT_EQ(page.dead_letters(0).discard_reason(), "the ward is closed");
  auto request = WithStates({v1::DEAD_LETTER_STATE_OPEN, v1::DEAD_LETTER_STATE_DISCARDED});
  request.set_page_size(2);
  EXPECT_THAT(Listed(request), ElementsAre(AlertIdOf(4), AlertIdOf(3)));
  request.set_page_token(page.next_page_token());
  EXPECT_THAT(Listed(request), ElementsAre(AlertIdOf(1)));
  EXPECT_EQ(List(WithStates({v1::DEAD_LETTER_STATE_UNSPECIFIED})), "INVALID_ARGUMENT:states");
}

TEST_F(DeadLettersTest, AreListedByReasonAndChannelInOneOrder) {
  for (const int number : {1, 2, 3, 4}) DeadLetter(number);
  QueryValue(AuditDatabase(),
             "UPDATE tocsin.dead_letters SET channel = 2 WHERE alert_id = '" + AlertIdOf(2) + "'");
  QueryValue(AuditDatabase(),
             "UPDATE tocsin.dead_letters SET reason = 'NO_ROUTE', channel = 2"
             " WHERE alert_id = '" +
                 AlertIdOf(3) + "'");
  v1::ListDeadLettersRequest request;
  request.set_page_size(2);
  request.set_reason("RETRIES_EXHAUSTED");
  EXPECT_THAT(Listed(request), ElementsAre(AlertIdOf(4), AlertIdOf(2)));
  request.set_page_token(page.next_page_token());
  EXPECT_THAT(Listed(request), ElementsAre(AlertIdOf(1)));
  request.clear_page_token();
  request.set_channel(v1::CHANNEL_VOICE);
  EXPECT_THAT(Listed(request), ElementsAre(AlertIdOf(2)));
  request.clear_reason();
  EXPECT_THAT(Listed(request), ElementsAre(AlertIdOf(3), AlertIdOf(2)));
}

TEST_F(DeadLettersTest, HaveAnExplanationByProviderCodeOrReason) {
  DeadLetter(1);
  EXPECT_THAT(Listed(), SizeIs(1));
  EXPECT_FALSE(page.dead_letters(0).explanation().empty());
  records::v1::DeadLetterRecord dead;
  dead.mutable_work()->ParseFromString(build.Accepted(AlertIdOf(2)).value);
  dead.set_reason("IN_DOUBT");
  dead.set_time_us(kCreateTimeUs + 9'000'000);
  Apply({build.Put(topics.Dead(v1::CHANNEL_SMS), dead.SerializeAsString())});
  EXPECT_THAT(Listed(), SizeIs(2));
  EXPECT_EQ(page.dead_letters(0).explanation(), "not known whether Twilio accepted it");
}

TEST_F(DeadLettersTest, RedrivePublishesANewAttemptWithTheSameExpireTime) {
  const v1::AttemptRef attempt = DeadLetter(1);
  EXPECT_EQ(Redrive(attempt), "OK");
  EXPECT_EQ(redriven.attempt().attempt(), 2);
  ASSERT_THAT(PublishedWork(), SizeIs(1));
  const records::v1::WorkRecord work = PublishedWork().front();
  EXPECT_EQ(work.attempt().attempt(), 2);
  EXPECT_EQ(work.expire_time_us(), kCreateTimeUs + 3'600'000'000);
  EXPECT_LE(work.retry_budget().attempts_used(), work.retry_budget().attempts_max());
  EXPECT_FALSE(work.has_acceptance());
  EXPECT_THAT(PublishedActions(), ElementsAre("night-watch: redrive"));
  EXPECT_THAT(Listed(), IsEmpty());
}

// O3
TEST_F(DeadLettersTest, RedriveContinuesTheTraceOfTheDeadLetter) {
  EXPECT_EQ(Redrive(DeadLetter(1)), "OK");
  EXPECT_THAT(published.Records(), SizeIs(3));
  for (const OutgoingRecord& record : published.Records()) {
    const auto header = std::ranges::find(record.headers, kHeaderTraceparent,
                                          [](const auto& entry) { return entry.first; });
    ASSERT_NE(header, record.headers.end()) << record.topic;
    EXPECT_EQ(header->second, kTraceparent);
  }
}

TEST_F(DeadLettersTest, RedriveAppearsInTheTimeline) {
  EXPECT_EQ(Redrive(DeadLetter(1)), "OK");
  std::vector<IncomingRecord> events;
  for (const OutgoingRecord& record : published.Records())
    if (record.topic == topics.Events()) events.push_back(build.Put(record.topic, record.value));
  Apply(events);
  postgres::Session session(AuditDatabase());
  const auto alert = ReadAlert(session, "hospital", AlertIdOf(1));
  ASSERT_TRUE(alert);
  EXPECT_EQ(alert->timeline().rbegin()->description(), "Queued; redriven by night-watch");
}

TEST_F(DeadLettersTest, ARepeatedRedrivePublishesTheSameRecords) {
  const v1::AttemptRef attempt = DeadLetter(1);
  published.SetOutcome(PublishOutcome::kUnknown);
  EXPECT_EQ(Redrive(attempt), "OUTCOME_UNKNOWN");
  published.SetOutcome(PublishOutcome::kPersisted);
  clock.Advance(std::chrono::seconds(10));
  EXPECT_EQ(Redrive(attempt), "OK");
  EXPECT_EQ(Redrive(attempt), "OK");
  EXPECT_EQ(redriven.attempt().attempt(), 2);
  ASSERT_THAT(PublishedWork(), SizeIs(2));
  EXPECT_EQ(PublishedWork()[0].SerializeAsString(), PublishedWork()[1].SerializeAsString());
  const auto events = published.On<records::v1::Event>(topics.Events());
  EXPECT_EQ(events[0].SerializeAsString(), events[1].SerializeAsString());
}

// R4
TEST_F(DeadLettersTest, AnAttemptThatWasSentIsRedrivenByForceOnlyAndThatIsRecorded) {
  const v1::AttemptRef attempt = DeadLetter(1, "SM1");
  EXPECT_EQ(Redrive(attempt), "IN_DOUBT");
  EXPECT_THAT(published.Records(), IsEmpty());
  EXPECT_EQ(Redrive(attempt, true), "OK");
  EXPECT_THAT(PublishedActions(), ElementsAre("night-watch: forced_redrive"));
  EXPECT_THAT(PublishedWork(), SizeIs(1));
}

// R4
TEST_F(DeadLettersTest, AnAttemptInDoubtIsRedrivenByForceOnly) {
  const v1::AttemptRef attempt = DeadLetter(1);
  Apply({build.Changed(AlertIdOf(1), v1::ATTEMPT_STATUS_IN_DOUBT, 4)});
  EXPECT_EQ(Redrive(attempt), "IN_DOUBT");
  EXPECT_EQ(Redrive(attempt, true), "OK");
}

TEST_F(DeadLettersTest, RedriveIsRefusedAfterTheExpireTimeEvenByForce) {
  const v1::AttemptRef attempt = DeadLetter(1);
  clock.Set(FromUnixMicros(kCreateTimeUs + 3'600'000'000));
  EXPECT_EQ(Redrive(attempt, true), "EXPIRED");
  EXPECT_THAT(published.Records(), IsEmpty());
}

// Workers would send nothing, and the alert would become CANCELLED instead of FAILED.
TEST_F(DeadLettersTest, RedriveIsRefusedAfterACancelEvenByForce) {
  for (const auto outcome : {v1::CANCEL_OUTCOME_CANCELLED, v1::CANCEL_OUTCOME_TOO_LATE,
                             v1::CANCEL_OUTCOME_ALREADY_ENDED}) {
    const v1::AttemptRef attempt = DeadLetter(outcome);
    Apply({build.Cancelled(attempt.alert_id(), outcome, 6)});
    EXPECT_EQ(Redrive(attempt), "CANCELLED");
    EXPECT_EQ(Redrive(attempt, true), "CANCELLED");
  }
  EXPECT_THAT(published.Records(), IsEmpty());
  EXPECT_THAT(Listed(), SizeIs(3));
}

TEST_F(DeadLettersTest, ARedriveThatWasNotPublishedIsUndoneWhenItsRepetitionIsRefused) {
  const v1::AttemptRef cancelled = DeadLetter(1);
  const v1::AttemptRef expired = DeadLetter(2);
  published.SetOutcome(PublishOutcome::kNotPersisted);
  for (const v1::AttemptRef& attempt : {cancelled, expired})
    EXPECT_EQ(Redrive(attempt), "KAFKA_UNAVAILABLE");
  EXPECT_THAT(Listed(), IsEmpty());
  published.SetOutcome(PublishOutcome::kPersisted);
  Apply({build.Cancelled(cancelled.alert_id(), v1::CANCEL_OUTCOME_TOO_LATE, 6)});
  EXPECT_EQ(Redrive(cancelled), "CANCELLED");
  clock.Set(FromUnixMicros(kCreateTimeUs + 3'600'000'000));
  EXPECT_EQ(Redrive(expired, true), "EXPIRED");
  EXPECT_THAT(published.Records(), IsEmpty());
  EXPECT_THAT(Listed(), ElementsAre(expired.alert_id(), cancelled.alert_id()));
  EXPECT_FALSE(page.dead_letters(0).has_close_time());
  EXPECT_EQ(Discard(expired, "the alert has expired"), "OK");
}

TEST_F(DeadLettersTest, ARedriveWhoseAttemptIsProjectedStaysWhenItsRepetitionIsRefused) {
  const v1::AttemptRef attempt = DeadLetter(1);
  EXPECT_EQ(Redrive(attempt), "OK");
  DeadLetterOfPublished("RETRIES_EXHAUSTED");
  Apply({build.Cancelled(attempt.alert_id(), v1::CANCEL_OUTCOME_TOO_LATE, 6)});
  EXPECT_EQ(Redrive(attempt), "CANCELLED");
  EXPECT_EQ(Discard(attempt, "no answer"), "NOT_FOUND");
}

TEST_F(DeadLettersTest, RedriveIsRefusedAfterAnAcknowledgement) {
  const v1::AttemptRef attempt = DeadLetter(1);
  Apply({build.Acknowledged(attempt.alert_id(), "ann", 6)});
  EXPECT_EQ(Redrive(attempt, true), "CANCELLED");
  EXPECT_THAT(published.Records(), IsEmpty());
}

// Messages to two persons, who must both acknowledge.
records::v1::Plan PlanForTwoPersons() {
  records::v1::Plan plan;
  plan.mutable_goal()->set_reach(v1::REACH_ACKNOWLEDGED);
  plan.mutable_goal()->set_person_count(2);
  for (const char* person : {"ann", "ben"}) {
    plan.add_targets()->set_plan_step(1);
    plan.mutable_targets()->rbegin()->set_person(person);
  }
  return plan;
}

TEST_F(DeadLettersTest, RedriveOfAnAlertWithAPlanIsRefusedWhenEnoughPersonsHaveAcknowledged) {
  plan = PlanForTwoPersons();
  const v1::AttemptRef attempt = DeadLetter(1);
  const v1::AttemptRef other = DeadLetter(2);
  for (const v1::AttemptRef& of : {attempt, other})
    Apply({build.Acknowledged(of.alert_id(), "ann", 6)});
  EXPECT_EQ(Redrive(attempt), "OK");
  Apply({build.Acknowledged(other.alert_id(), "ben", 7)});
  EXPECT_EQ(Redrive(other, true), "CANCELLED");
  EXPECT_THAT(PublishedWork(), SizeIs(1));
}

TEST_F(DeadLettersTest, RedriveIsRefusedAfterTheGoalWasMissedEvenByForce) {
  plan = PlanForTwoPersons();
  const v1::AttemptRef attempt = DeadLetter(1);
  Apply({build.GoalMissed(attempt.alert_id(), 50)});
  EXPECT_EQ(Redrive(attempt), "CANCELLED");
  EXPECT_EQ(Redrive(attempt, true), "CANCELLED");
  EXPECT_THAT(published.Records(), IsEmpty());
}

TEST_F(DeadLettersTest, RedriveIsRefusedBeforeTheEndOfTheAttemptIsProjected) {
  const v1::AttemptRef attempt = DeadLetter(1, "", false);
  EXPECT_EQ(Redrive(attempt), "OVERLOADED");
  EXPECT_THAT(published.Records(), IsEmpty());
}

// R4
TEST_F(DeadLettersTest, ARedrivenAttemptThatIsOnlyQueuedDoesNotCountAsUnsent) {
  ASSERT_EQ(Redrive(DeadLetter(1)), "OK");
  const v1::AttemptRef second = DeadLetterOfPublished("RETRIES_EXHAUSTED");
  EXPECT_EQ(second.attempt(), 2);
  EXPECT_EQ(Redrive(second), "OVERLOADED");
  EXPECT_THAT(PublishedWork(), SizeIs(1));
}

// R4
TEST_F(DeadLettersTest, ADeadLetterInDoubtIsRedrivenByForceOnlyWhateverTheAttemptsShow) {
  ASSERT_EQ(Redrive(DeadLetter(1)), "OK");
  const v1::AttemptRef second = DeadLetterOfPublished("IN_DOUBT");
  EXPECT_EQ(Redrive(second), "IN_DOUBT");
  EXPECT_EQ(Redrive(second, true), "OVERLOADED");  // its end is not projected
  EXPECT_THAT(PublishedWork(), SizeIs(1));
}

TEST_F(DeadLettersTest, ADiscardedDeadLetterCannotBeRedriven) {
  const v1::AttemptRef attempt = DeadLetter(1);
  EXPECT_EQ(Discard(attempt, "the ward is closed"), "OK");
  EXPECT_EQ(Discard(attempt, "the ward is closed"), "OK");
  EXPECT_EQ(Redrive(attempt, true), "NOT_FOUND");
  EXPECT_THAT(Listed(), IsEmpty());
  // The events of both requests have the same id.
  EXPECT_THAT(PublishedActions(), ElementsAre("night-watch: discard", "night-watch: discard"));
}

TEST_F(DeadLettersTest, RefusesInvalidRequests) {
  const v1::AttemptRef attempt = DeadLetter(1);
  EXPECT_EQ(Discard(attempt, ""), "INVALID_ARGUMENT:reason");
  EXPECT_EQ(Discard(attempt, std::string(257, 'x')), "INVALID_ARGUMENT:reason");
  EXPECT_EQ(Discard(attempt, "two\nlines"), "INVALID_ARGUMENT:reason");
  v1::AttemptRef other = attempt;
  other.set_step(7);
  EXPECT_EQ(Discard(other, "x"), "NOT_FOUND");
  other.set_step(0);
  EXPECT_EQ(Discard(other, "x"), "INVALID_ARGUMENT:attempt.step");
  other = attempt;
  other.set_attempt(-1);
  EXPECT_EQ(Redrive(other), "INVALID_ARGUMENT:attempt.attempt");
  other.set_alert_id("not a UUID");
  EXPECT_EQ(Redrive(other), "INVALID_ARGUMENT:attempt.alert_id");
}

// A discard reason is stored in the clear and published.
TEST_F(DeadLettersTest, RefusesADiscardReasonThatLooksLikePersonalData) {
  const v1::AttemptRef attempt = DeadLetter(1);
  for (const std::string reason :
       {"now reachable at +15145550101", "see bob@example.com", "501-712-2661"})
    EXPECT_EQ(Discard(attempt, reason), "INVALID_ARGUMENT:reason") << reason;
  EXPECT_THAT(Listed(), SizeIs(1));
  EXPECT_THAT(published.Records(), IsEmpty());
}

TEST_F(DeadLettersTest, ADiscardReasonMayHave256Characters) {
  std::string reason;
  for (int i = 0; i < 256; ++i) reason += "é";
  EXPECT_EQ(Discard(DeadLetter(1), reason), "OK");
}

TEST_F(DeadLettersTest, TheDeadLetterOfAnUnparsableRecordIsStoredAsUnparsed) {
  records::v1::DeadLetterRecord dead;
  dead.set_unparsed("garbage");
  Apply({build.Put(topics.Dead(v1::CHANNEL_SMS), dead.SerializeAsString())});
  EXPECT_THAT(Listed(), IsEmpty());
  EXPECT_EQ(QueryValue(AuditDatabase(), "SELECT count(*) FROM tocsin.unparsed"), "1");
}

}  // namespace
}  // namespace tocsin::audit
