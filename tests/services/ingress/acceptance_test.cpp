#include "services/ingress/acceptance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "common/domain/ids.h"
#include "tests/fakes/admissions.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/record_log.h"
#include "tests/fakes/registry.h"
#include "tests/fakes/vault.h"
#include "tests/services/ingress/held_log.h"

namespace tocsin::ingress {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;
using testing::SizeIs;

constexpr const char* kTrace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

v1::EnqueueRequest ARequest(const std::string& key = {}) {
  v1::EnqueueRequest request;
  request.set_to("+15145550123");
  request.set_text("Boiler 3 is too hot");
  request.set_idempotency_key(key);
  return request;
}

v1::EnqueueRequest AnotherRequest(const std::string& key) {
  v1::EnqueueRequest request = ARequest(key);
  request.set_text("Boiler 4 is too hot");
  return request;
}

v1::EnqueueRequest AnEmergency(const std::string& key = {}) {
  v1::EnqueueRequest request = ARequest(key);
  request.set_class_(v1::ALERT_CLASS_EMERGENCY);
  return request;
}

class AcceptanceTest : public testing::Test {
 protected:
  Acceptance By(RecordLog& used, AcceptanceSettings settings = {}) {
    return Acceptance({clock, registry, admissions, vault, used, topics}, settings);
  }
  static Result<v1::EnqueueResponse> Ask(Acceptance& door, const v1::EnqueueRequest& request) {
    std::optional<Result<v1::EnqueueResponse>> answer;
    door.Enqueue("demo", request, kTrace,
                 [&](Result<v1::EnqueueResponse> given) { answer = std::move(given); });
    if (!answer) return Fail(ErrorCode::kInternal, "not answered yet");
    return *std::move(answer);
  }
  Result<v1::EnqueueResponse> Ask(const v1::EnqueueRequest& request) {
    return Ask(acceptance, request);
  }
  std::vector<v1::WorkRecord> Normal() const {
    return log.On<v1::WorkRecord>(topics.Lane(v1::CHANNEL_SMS, v1::ALERT_CLASS_NORMAL));
  }

  ManualClock clock;
  RegistrySource registry{Built(TestRegistry())};
  FakeAdmissions admissions;
  FakeVault vault;
  FakeRecordLog log;
  Topics topics;
  Acceptance acceptance = By(log);
};

#define EXPECT_REFUSED(answer, expected) \
  ASSERT_FALSE(answer);                  \
  EXPECT_EQ(TraitsOf((answer).error().code).name, TraitsOf(expected).name)

TEST_F(AcceptanceTest, AnswersOnlyAfterTheRecordIsOnDisk) {  // A1
  HeldLog held(log);
  Acceptance door = By(held);
  std::optional<Result<v1::EnqueueResponse>> answer;
  door.Enqueue("demo", ARequest(), kTrace, [&](auto given) { answer = std::move(given); });
  EXPECT_FALSE(answer);
  EXPECT_EQ(door.InFlight(), 1u);
  held.ReleaseOne();
  ASSERT_TRUE(answer && *answer);
  EXPECT_EQ(door.InFlight(), 0u);
  const v1::EnqueueResponse& response = **answer;
  EXPECT_EQ(response.position().topic(), topics.Lane(v1::CHANNEL_SMS, v1::ALERT_CLASS_NORMAL));
  EXPECT_EQ(response.accept_time().seconds() * 1'000'000, ToUnixMicros(clock.Now()));
  EXPECT_EQ(response.segments(), 1u);
  EXPECT_FALSE(response.replayed());
}

TEST_F(AcceptanceTest, PublishesTheFirstTryWithItsAcceptance) {
  const auto answer = Ask(ARequest("k1"));
  ASSERT_TRUE(answer);
  ASSERT_THAT(Normal(), SizeIs(1));
  const v1::WorkRecord work = Normal()[0];
  EXPECT_EQ(TryText(work.try_()), answer->alert_id() + ".1.1");
  EXPECT_EQ(work.kind(), v1::WORK_KIND_TRY);
  EXPECT_EQ(work.client_id(), "demo");
  EXPECT_EQ(work.sender(), "main");
  EXPECT_EQ(work.budget().used(), 1u);
  EXPECT_EQ(work.not_after_us(), ToUnixMicros(clock.Now() + std::chrono::hours(24)));
  EXPECT_EQ(work.acceptance().idempotency_digest(), IdempotencyDigest("demo", "k1"));
  const OutgoingRecord record = log.Records()[0];
  EXPECT_EQ(record.key, answer->alert_id());
  EXPECT_THAT(record.headers,
              testing::UnorderedElementsAre(Pair("schema", "tocsin.v1.WorkRecord"),
                                            Pair("traceparent", kTrace), Pair("accepts", "demo")));
}

TEST_F(AcceptanceTest, LeavesNothingReadableInTheRecord) {  // P1
  const auto answer = Ask(ARequest("a-key-of-the-caller"));
  ASSERT_TRUE(answer);
  for (const OutgoingRecord& record : log.Records())
    for (const char* planted : {"5145550123", "Boiler", "a-key-of-the-caller"}) {
      EXPECT_THAT(record.value, Not(HasSubstr(planted)));
      EXPECT_THAT(record.key, Not(HasSubstr(planted)));
    }
  const v1::WorkRecord work = Normal()[0];
  const auto opened =
      vault.Open({"demo", answer->alert_id(), "content"}, work.key(), work.content());
  ASSERT_TRUE(opened);
  v1::Content content;
  ASSERT_TRUE(content.ParseFromString(opened->Reveal()));
  EXPECT_EQ(content.to(), "+15145550123");
  EXPECT_EQ(content.text(), "Boiler 3 is too hot");
}

TEST_F(AcceptanceTest, RefusesWhatIsMalformedWithoutAskingAnybody) {
  admissions.SetDown(true);
  v1::EnqueueRequest request = ARequest();
  request.set_to("nobody");
  const auto answer = Ask(request);
  EXPECT_REFUSED(answer, ErrorCode::kInvalidPhoneFormat);
  EXPECT_THAT(log.Records(), IsEmpty());
  EXPECT_EQ(acceptance.InFlight(), 0u);
}

TEST_F(AcceptanceTest, GivesTheFirstAnswerAgainForTheSameKeyAndRequest) {  // A3
  const auto first = Ask(ARequest("k1"));
  clock.Advance(std::chrono::hours(1));
  v1::EnqueueRequest spelled = ARequest("k1");
  spelled.set_to("+1 (514) 555-0123");
  const auto second = Ask(spelled);
  ASSERT_TRUE(first && second);
  EXPECT_TRUE(second->replayed());
  EXPECT_EQ(second->alert_id(), first->alert_id());
  EXPECT_EQ(second->accept_time().seconds(), first->accept_time().seconds());
  EXPECT_EQ(second->position().SerializeAsString(), first->position().SerializeAsString());
  EXPECT_THAT(Normal(), SizeIs(1));
}

// What the caller was told survives a kill: the store knew it before.
TEST_F(AcceptanceTest, GivesTheFirstAnswerThoughTheCallWouldBeRefusedByNow) {  // A3
  v1::EnqueueRequest request = ARequest("k-1");
  request.mutable_expires_at()->set_seconds(ToUnixMicros(clock.Now()) / 1'000'000 + 30);
  const auto first = Ask(request);
  ASSERT_TRUE(first);
  clock.Advance(std::chrono::seconds(31));
  const auto second = Ask(request);
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(second->alert_id(), first->alert_id());
  EXPECT_TRUE(second->replayed());
  EXPECT_THAT(Normal(), SizeIs(1));
  v1::EnqueueRequest other = request;
  other.set_text("another");
  EXPECT_REFUSED(Ask(other), ErrorCode::kIdempotencyConflict);
  other.set_idempotency_key("k-2");
  const auto refused = Ask(other);
  EXPECT_REFUSED(refused, ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused.error().field, "expires_at");
  EXPECT_EQ(acceptance.InFlight(), 0u);
}

TEST_F(AcceptanceTest, SaysThatACallMayHaveBeenTakenThoughItWouldBeRefusedByNow) {  // A3, R1
  v1::EnqueueRequest request = ARequest("k-1");
  request.mutable_expires_at()->set_seconds(ToUnixMicros(clock.Now()) / 1'000'000 + 30);
  log.EndWith(PublishOutcome::kUnknown);
  const auto first = Ask(request);
  EXPECT_REFUSED(first, ErrorCode::kOutcomeUnknown);
  clock.Advance(std::chrono::seconds(31));
  const auto second = Ask(request);
  EXPECT_REFUSED(second, ErrorCode::kOutcomeUnknown);
  EXPECT_EQ(second.error().subject, first.error().subject);
}

TEST_F(AcceptanceTest, ARepetitionInventsNoTimeToSend) {  // A5
  log.EndWith(PublishOutcome::kUnknown);
  EXPECT_FALSE(Ask(ARequest("k-1")));
  clock.Advance(std::chrono::seconds(2));
  EXPECT_FALSE(Ask(ARequest("k-1")));
  ASSERT_THAT(Normal(), SizeIs(2));
  EXPECT_EQ(Normal()[1].send_at_us(), 0);
}

TEST_F(AcceptanceTest, AnswersAnAlertWithAKeyOnlyWhenTheStoreKnowsIt) {  // A3
  admissions.hold_confirmations = true;
  std::optional<Result<v1::EnqueueResponse>> answer;
  acceptance.Enqueue("demo", ARequest("k1"), kTrace,
                     [&](Result<v1::EnqueueResponse> given) { answer = std::move(given); });
  ASSERT_THAT(admissions.confirmations, SizeIs(1));
  EXPECT_FALSE(answer);
  EXPECT_EQ(acceptance.InFlight(), 1u);
  admissions.confirmations[0].done();
  ASSERT_TRUE(answer && *answer);
  EXPECT_EQ((*answer)->position().SerializeAsString(),
            admissions.confirmations[0].position.SerializeAsString());
  EXPECT_EQ(acceptance.InFlight(), 0u);
}

TEST_F(AcceptanceTest, LetsNoAlertWithoutAKeyWaitForTheStore) {
  admissions.hold_confirmations = true;
  EXPECT_TRUE(Ask(ARequest()));
}

TEST_F(AcceptanceTest, RefusesAnotherRequestUnderTheSameKeyAndNamesTheFirst) {  // A3
  const auto first = Ask(ARequest("k1"));
  const auto second = Ask(AnotherRequest("k1"));
  ASSERT_TRUE(first);
  EXPECT_REFUSED(second, ErrorCode::kIdempotencyConflict);
  EXPECT_EQ(second.error().subject, first->alert_id());
  EXPECT_EQ(second.error().field, "idempotency_key");
  EXPECT_THAT(Normal(), SizeIs(1));
}

TEST_F(AcceptanceTest, TakesTheSameRequestTwiceWithoutAKey) {
  const auto first = Ask(ARequest());
  const auto second = Ask(ARequest());
  ASSERT_TRUE(first && second);
  EXPECT_NE(first->alert_id(), second->alert_id());
  EXPECT_THAT(Normal(), SizeIs(2));
}

TEST_F(AcceptanceTest, ForgetsWhatCertainlyWasNotWritten) {  // R1
  log.EndWith(PublishOutcome::kNotPersisted);
  const auto refused = Ask(ARequest("k1"));
  EXPECT_REFUSED(refused, ErrorCode::kKafkaUnavailable);
  EXPECT_TRUE(refused.error().retry_after);
  log.EndWith(PublishOutcome::kPersisted);
  const auto other = Ask(AnotherRequest("k1"));  // no conflict: the key is free
  ASSERT_TRUE(other) << other.error().message;
  EXPECT_FALSE(other->replayed());
}

TEST_F(AcceptanceTest, SaysThatTheOutcomeIsUnknownAndTellsWhenAskedAgain) {  // A3, R1
  log.EndWith(PublishOutcome::kUnknown);
  const auto unknown = Ask(ARequest("k1"));
  EXPECT_REFUSED(unknown, ErrorCode::kOutcomeUnknown);
  log.EndWith(PublishOutcome::kPersisted);
  clock.Advance(std::chrono::seconds(5));
  const auto again = Ask(ARequest("k1"));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->alert_id(), unknown.error().subject);
  ASSERT_THAT(Normal(), SizeIs(2));  // the same try twice: the claim lets one run
  EXPECT_EQ(TryText(Normal()[0].try_()), TryText(Normal()[1].try_()));
  EXPECT_EQ(Normal()[0].accepted_time_us(), Normal()[1].accepted_time_us());
}

TEST_F(AcceptanceTest, KeepsWhatMayHaveBeenWrittenThoughALaterPublishFails) {  // R1
  log.EndWith(PublishOutcome::kUnknown);
  EXPECT_FALSE(Ask(ARequest("k1")));
  log.EndWith(PublishOutcome::kNotPersisted);
  EXPECT_FALSE(Ask(ARequest("k1")));
  log.EndWith(PublishOutcome::kPersisted);
  const auto other = Ask(AnotherRequest("k1"));
  EXPECT_REFUSED(other, ErrorCode::kIdempotencyConflict);
}

TEST_F(AcceptanceTest, DoesNotInviteARetryWithoutAKeyWhenTheOutcomeIsUnknown) {
  log.EndWith(PublishOutcome::kUnknown);
  const auto unknown = Ask(ARequest());
  EXPECT_REFUSED(unknown, ErrorCode::kOutcomeUnknownUnkeyed);
  EXPECT_FALSE(TraitsOf(unknown.error().code).retryable);
}

TEST_F(AcceptanceTest, TakesEmergenciesWithoutRedisAndNothingElse) {  // R6
  admissions.SetDown(true);
  const auto normal = Ask(ARequest("k1"));
  EXPECT_REFUSED(normal, ErrorCode::kRedisUnavailable);
  EXPECT_THAT(log.Records(), IsEmpty());
  const auto emergency = Ask(AnEmergency("k2"));
  ASSERT_TRUE(emergency);
  EXPECT_THAT(log.On<v1::WorkRecord>(topics.Lane(v1::CHANNEL_SMS, v1::ALERT_CLASS_EMERGENCY)),
              SizeIs(1));
}

TEST_F(AcceptanceTest, NamesAKeyedEmergencyAlikeWithAndWithoutRedis) {  // A3
  admissions.SetDown(true);
  const auto without = Ask(AnEmergency("k1"));
  admissions.SetDown(false);
  const auto with = Ask(AnEmergency("k1"));
  ASSERT_TRUE(without && with);
  EXPECT_EQ(without->alert_id(), with->alert_id());
}

TEST_F(AcceptanceTest, PublishesNothingInTheClearWhenThereAreNoKeys) {  // P1
  vault.keys_unavailable = true;
  const auto refused = Ask(ARequest("k1"));
  EXPECT_REFUSED(refused, ErrorCode::kKmsUnavailable);
  EXPECT_THAT(log.Records(), IsEmpty());
  vault.keys_unavailable = false;
  EXPECT_TRUE(Ask(AnotherRequest("k1")));  // nothing was kept of the first
}

TEST_F(AcceptanceTest, RefusesMoreThanItsBoundAndGoesOnAfterAnAnswer) {
  HeldLog held(log);
  Acceptance door = By(held, {.max_in_flight = 1});
  int answered = 0;
  door.Enqueue("demo", ARequest(), kTrace, [&](auto) { ++answered; });
  const auto refused = Ask(door, ARequest());
  EXPECT_REFUSED(refused, ErrorCode::kOverloaded);
  EXPECT_TRUE(refused.error().retry_after);
  EXPECT_EQ(held.Held(), 1u);
  held.ReleaseOne();
  door.Enqueue("demo", ARequest(), kTrace, [&](auto) { ++answered; });
  held.ReleaseOne();
  EXPECT_EQ(answered, 2);
  EXPECT_EQ(door.InFlight(), 0u);
}

TEST_F(AcceptanceTest, HandsADelayedAlertToItsLaneWithTheTimeItAsksFor) {  // A5
  v1::EnqueueRequest request = ARequest();
  request.mutable_send_at()->set_seconds(ToUnixMicros(clock.Now()) / 1'000'000 + 3600);
  ASSERT_TRUE(Ask(request));
  ASSERT_THAT(Normal(), SizeIs(1));
  EXPECT_EQ(Normal()[0].send_at_us(), ToUnixMicros(clock.Now() + std::chrono::hours(1)));
}

}  // namespace
}  // namespace tocsin::ingress
