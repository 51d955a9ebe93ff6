#include "services/ingress/acceptance/acceptance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "common/domain/alert/ids.h"
#include "common/domain/alert/issued_id.h"
#include "common/ports/consistency_token.h"
#include "common/ports/sealed_content.h"
#include "services/ingress/ack_links/ack_token.h"
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
  request.set_priority(v1::PRIORITY_EMERGENCY);
  return request;
}

class AcceptanceTest : public testing::Test {
 protected:
  Acceptance With(RecordLog& used, AcceptanceSettings settings = {}) {
    return Acceptance({clock, registry, admissions, vault, used, topics}, settings);
  }
  static Result<v1::EnqueueResponse> Enqueue(Acceptance& used, const v1::EnqueueRequest& request) {
    std::optional<Result<v1::EnqueueResponse>> response;
    used.Enqueue("demo", request, kTrace,
                 [&](Result<v1::EnqueueResponse> result) { response = std::move(result); });
    if (!response) return Fail(ErrorCode::kInternal, "no response yet");
    return *std::move(response);
  }
  Result<v1::EnqueueResponse> Enqueue(const v1::EnqueueRequest& request) {
    return Enqueue(acceptance, request);
  }
  // Keeps the response in `response`, whenever it comes.
  static void Start(Acceptance& used, const v1::EnqueueRequest& request,
                    std::optional<Result<v1::EnqueueResponse>>& response) {
    used.Enqueue("demo", request, kTrace,
                 [&response](Result<v1::EnqueueResponse> result) { response = std::move(result); });
  }
  std::vector<records::v1::WorkRecord> Normal() const {
    return log.On<records::v1::WorkRecord>(topics.Lane(v1::CHANNEL_SMS, v1::PRIORITY_NORMAL));
  }

  ManualClock clock;
  RegistrySource registry{Built(TestRegistry())};
  FakeAdmissions admissions;
  FakeVault vault;
  FakeRecordLog log;
  Topics topics;
  Acceptance acceptance = With(log);
};

// Passes everything on, and counts the confirmations of emergencies.
class CountingAdmissions final : public Admissions {
 public:
  explicit CountingAdmissions(Admissions& inner) : inner_(inner) {}
  void Admit(AdmitRequest request, std::function<void(Result<Admission>)> done) override {
    inner_.Admit(std::move(request), std::move(done));
  }
  void Confirm(const std::string& alert_id, const records::v1::Position& position,
               std::function<void()> done) override {
    inner_.Confirm(alert_id, position, std::move(done));
  }
  void ConfirmEmergency(const std::string& alert_id, const records::v1::Position& position,
                        std::function<void()> done) override {
    ++emergencies;
    Admissions::ConfirmEmergency(alert_id, position, std::move(done));
  }
  void Withdraw(const std::string& alert_id, const std::string& idempotency_digest,
                const std::string& nonce) override {
    inner_.Withdraw(alert_id, idempotency_digest, nonce);
  }
  void Mark(MarkRequest request, std::function<void(Result<MarkResult>)> done) override {
    inner_.Mark(std::move(request), std::move(done));
  }
  void FindAckCode(FindAckCodeRequest request,
                   std::function<void(Result<AckCodeMatches>)> done) override {
    inner_.FindAckCode(std::move(request), std::move(done));
  }
  int emergencies = 0;

 private:
  Admissions& inner_;
};

#define EXPECT_REFUSED(response, expected) \
  ASSERT_FALSE(response);                  \
  EXPECT_EQ(TraitsOf((response).error().code).name, TraitsOf(expected).name)

using Response = std::optional<Result<v1::EnqueueResponse>>;

TEST_F(AcceptanceTest, RespondsAfterTheRecordIsOnDisk) {  // A1
  HeldLog held(log);
  Acceptance waiting = With(held);
  Response response;
  Start(waiting, ARequest(), response);
  EXPECT_FALSE(response);
  EXPECT_EQ(waiting.InFlight(), 1u);
  held.ReleaseOne();
  ASSERT_TRUE(response && *response);
  EXPECT_EQ(waiting.InFlight(), 0u);
  const v1::EnqueueResponse& accepted = **response;
  const auto position = ParseConsistencyToken(accepted.consistency_token(), "consistency_token");
  ASSERT_TRUE(position);
  EXPECT_EQ(position->topic(), topics.Lane(v1::CHANNEL_SMS, v1::PRIORITY_NORMAL));
  EXPECT_EQ(accepted.create_time().seconds() * 1'000'000, ToUnixMicros(clock.Now()));
  EXPECT_EQ(accepted.segment_count(), 1);
  EXPECT_FALSE(accepted.replayed());
}

TEST_F(AcceptanceTest, PutsTheLinkIntoTheTextThatIsSent) {
  Acceptance with_links = With(log, {.rules = {.public_base_url = "https://alerts.example.com"}});
  v1::EnqueueRequest request = ARequest("k1");
  request.set_text("Boiler 3 is too hot {ack_link}");
  const auto response = Enqueue(with_links, request);
  ASSERT_TRUE(response);
  ASSERT_THAT(Normal(), SizeIs(1));
  const records::v1::WorkRecord work = Normal()[0];
  const std::string text = OpenContent(vault, work)->text();
  const std::string begin = "Boiler 3 is too hot https://alerts.example.com/ack/";
  ASSERT_THAT(text, testing::StartsWith(begin));
  const auto token = ParseAckToken(vault, text.substr(begin.size()));
  ASSERT_TRUE(token);
  EXPECT_EQ(token->alert_id, response->alert_id());
  EXPECT_EQ(token->step, work.attempt().step());
  EXPECT_EQ(ToUnixMicros(token->expire_time), work.expire_time_us());
  EXPECT_EQ(work.body_digest(), vault.DigestBody(text).substr(0, work.body_digest().size()));
  clock.Advance(std::chrono::seconds(5));           // another expire time, and so another link
  const auto again = Enqueue(with_links, request);  // compared as it was given
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->replayed());
  EXPECT_EQ(again->alert_id(), response->alert_id());
}

TEST_F(AcceptanceTest, PublishesTheFirstAttemptWithItsAcceptance) {
  const auto response = Enqueue(ARequest("k1"));
  ASSERT_TRUE(response);
  ASSERT_THAT(Normal(), SizeIs(1));
  const records::v1::WorkRecord work = Normal()[0];
  EXPECT_EQ(AttemptText(work.attempt()), response->alert_id() + ".1.1");
  EXPECT_EQ(work.kind(), records::v1::WORK_KIND_ATTEMPT);
  EXPECT_EQ(work.client_id(), "demo");
  EXPECT_EQ(work.sender_id(), "main");
  EXPECT_EQ(work.retry_budget().attempts_used(), 1);
  EXPECT_EQ(work.retry_budget().attempts_max(), 5);
  EXPECT_EQ(work.expire_time_us(), ToUnixMicros(clock.Now() + std::chrono::hours(24)));
  EXPECT_EQ(work.acceptance().idempotency_digest(), IdempotencyDigest("demo", "k1"));
  const OutgoingRecord record = log.Records()[0];
  EXPECT_EQ(record.key, response->alert_id());
  EXPECT_THAT(record.headers,
              testing::UnorderedElementsAre(Pair("schema", "tocsin.records.v1.WorkRecord"),
                                            Pair("traceparent", kTrace), Pair("accepts", "demo")));
}

TEST_F(AcceptanceTest, PublishesNothingReadable) {  // P1
  const auto response = Enqueue(ARequest("a-key-of-the-client"));
  ASSERT_TRUE(response);
  for (const OutgoingRecord& record : log.Records())
    for (const char* planted : {"5145550123", "Boiler", "a-key-of-the-client"}) {
      EXPECT_THAT(record.value, Not(HasSubstr(planted)));
      EXPECT_THAT(record.key, Not(HasSubstr(planted)));
    }
  const records::v1::WorkRecord work = Normal()[0];
  const auto content = OpenContent(vault, work);
  ASSERT_TRUE(content);
  EXPECT_EQ(content->to(), "+15145550123");
  EXPECT_EQ(content->text(), "Boiler 3 is too hot");
}

TEST_F(AcceptanceTest, RefusesAMalformedRequestWithoutTheStore) {
  admissions.SetDown(true);
  v1::EnqueueRequest request = ARequest();
  request.set_to("nobody");
  const auto response = Enqueue(request);
  EXPECT_REFUSED(response, ErrorCode::kInvalidPhoneFormat);
  EXPECT_THAT(log.Records(), IsEmpty());
  EXPECT_EQ(acceptance.InFlight(), 0u);
}

TEST_F(AcceptanceTest, ReturnsTheFirstResponseForTheSameKeyAndRequest) {  // A3
  const auto first = Enqueue(ARequest("k1"));
  clock.Advance(std::chrono::hours(1));
  v1::EnqueueRequest spelled = ARequest("k1");
  spelled.set_to("+1 (514) 555-0123");
  const auto second = Enqueue(spelled);
  ASSERT_TRUE(first && second);
  EXPECT_TRUE(second->replayed());
  EXPECT_EQ(second->alert_id(), first->alert_id());
  EXPECT_EQ(second->create_time().seconds(), first->create_time().seconds());
  EXPECT_EQ(second->consistency_token(), first->consistency_token());
  EXPECT_THAT(Normal(), SizeIs(1));
}

TEST_F(AcceptanceTest, ReturnsTheFirstResponseToARequestThatWouldBeRefusedByNow) {  // A3
  v1::EnqueueRequest request = ARequest("k-1");
  request.mutable_expire_time()->set_seconds(ToUnixMicros(clock.Now()) / 1'000'000 + 30);
  const auto first = Enqueue(request);
  ASSERT_TRUE(first);
  clock.Advance(std::chrono::seconds(31));
  const auto second = Enqueue(request);
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(second->alert_id(), first->alert_id());
  EXPECT_TRUE(second->replayed());
  EXPECT_THAT(Normal(), SizeIs(1));
  v1::EnqueueRequest other = request;
  other.set_text("another");
  EXPECT_REFUSED(Enqueue(other), ErrorCode::kIdempotencyConflict);
  other.set_idempotency_key("k-2");
  const auto refused = Enqueue(other);
  EXPECT_REFUSED(refused, ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused.error().field, "expire_time");
  EXPECT_EQ(acceptance.InFlight(), 0u);
}

TEST_F(AcceptanceTest, ReportsAnUnknownOutcomeOfARequestThatWouldBeRefusedByNow) {  // A3, R1
  v1::EnqueueRequest request = ARequest("k-1");
  request.mutable_expire_time()->set_seconds(ToUnixMicros(clock.Now()) / 1'000'000 + 30);
  log.SetOutcome(PublishOutcome::kUnknown);
  const auto first = Enqueue(request);
  EXPECT_REFUSED(first, ErrorCode::kOutcomeUnknown);
  clock.Advance(std::chrono::seconds(31));
  const auto second = Enqueue(request);
  EXPECT_REFUSED(second, ErrorCode::kOutcomeUnknown);
  EXPECT_EQ(second.error().subject, first.error().subject);
}

TEST_F(AcceptanceTest, ARequestThatWouldBeRefusedByNowIsRetriedWhileTheStoreIsDown) {  // A3
  v1::EnqueueRequest request = ARequest("k-1");
  request.mutable_expire_time()->set_seconds(ToUnixMicros(clock.Now()) / 1'000'000 + 30);
  const auto first = Enqueue(request);
  ASSERT_TRUE(first);
  clock.Advance(std::chrono::seconds(31));
  admissions.SetDown(true);
  EXPECT_REFUSED(Enqueue(request), ErrorCode::kRedisUnavailable);
  admissions.SetDown(false);
  const auto second = Enqueue(request);
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(second->alert_id(), first->alert_id());
}

TEST_F(AcceptanceTest, ARepetitionSetsNoSendTime) {  // A5
  log.SetOutcome(PublishOutcome::kUnknown);
  EXPECT_FALSE(Enqueue(ARequest("k-1")));
  clock.Advance(std::chrono::seconds(2));
  EXPECT_FALSE(Enqueue(ARequest("k-1")));
  ASSERT_THAT(Normal(), SizeIs(2));
  EXPECT_EQ(Normal()[1].send_time_us(), 0);
}

TEST_F(AcceptanceTest, RespondsToAKeyedRequestAfterTheStoreHasConfirmedIt) {  // A3
  admissions.hold_confirmations = true;
  Response response;
  Start(acceptance, ARequest("k1"), response);
  ASSERT_THAT(admissions.confirmations, SizeIs(1));
  EXPECT_FALSE(response);
  EXPECT_EQ(acceptance.InFlight(), 1u);
  admissions.confirmations[0].done();
  ASSERT_TRUE(response && *response);
  EXPECT_EQ((*response)->consistency_token(),
            MakeConsistencyToken(admissions.confirmations[0].position));
  EXPECT_EQ(acceptance.InFlight(), 0u);
}

TEST_F(AcceptanceTest, ConfirmsEmergenciesUrgently) {  // A4
  CountingAdmissions counting(admissions);
  Acceptance urgent({clock, registry, counting, vault, log, topics}, {});
  ASSERT_TRUE(Enqueue(urgent, ARequest("k1")));
  EXPECT_EQ(counting.emergencies, 0);
  ASSERT_TRUE(Enqueue(urgent, AnEmergency("k2")));
  EXPECT_EQ(counting.emergencies, 1);
  EXPECT_TRUE(Enqueue(urgent, AnEmergency("k2"))->replayed());
}

TEST_F(AcceptanceTest, AcceptsARequestWithoutAKeyWithoutTheStore) {  // A1
  admissions.SetDown(true);
  const auto response = Enqueue(ARequest());
  ASSERT_TRUE(response) << response.error().message;
  const auto digest = [this](std::string_view text) { return vault.DigestRequest(text); };
  EXPECT_TRUE(ReadIssuedId(response->alert_id(), "demo", digest));
  EXPECT_FALSE(ReadIssuedId(response->alert_id(), "another", digest));
  EXPECT_TRUE(Normal()[0].has_acceptance());
  EXPECT_EQ(Normal()[0].acceptance().ByteSizeLong(), 0u);  // nothing is compared later
}

TEST_F(AcceptanceTest, RefusesAnotherRequestWithTheSameKeyAndNamesTheFirst) {  // A3
  const auto first = Enqueue(ARequest("k1"));
  const auto second = Enqueue(AnotherRequest("k1"));
  ASSERT_TRUE(first);
  EXPECT_REFUSED(second, ErrorCode::kIdempotencyConflict);
  EXPECT_EQ(second.error().subject, first->alert_id());
  EXPECT_EQ(second.error().field, "idempotency_key");
  EXPECT_THAT(Normal(), SizeIs(1));
}

TEST_F(AcceptanceTest, AcceptsTheSameRequestTwiceWithoutAKey) {
  const auto first = Enqueue(ARequest());
  const auto second = Enqueue(ARequest());
  ASSERT_TRUE(first && second);
  EXPECT_NE(first->alert_id(), second->alert_id());
  EXPECT_THAT(Normal(), SizeIs(2));
}

TEST_F(AcceptanceTest, WithdrawsWhatWasCertainlyNotPublished) {  // R1
  log.SetOutcome(PublishOutcome::kNotPersisted);
  const auto refused = Enqueue(ARequest("k1"));
  EXPECT_REFUSED(refused, ErrorCode::kKafkaUnavailable);
  EXPECT_TRUE(refused.error().retry_after);
  log.SetOutcome(PublishOutcome::kPersisted);
  const auto other = Enqueue(AnotherRequest("k1"));  // no conflict: the key is free
  ASSERT_TRUE(other) << other.error().message;
  EXPECT_FALSE(other->replayed());
}

TEST_F(AcceptanceTest, PublishesAgainUnderTheSameIdAfterAnUnknownOutcome) {  // A3, R1
  log.SetOutcome(PublishOutcome::kUnknown);
  const auto unknown = Enqueue(ARequest("k1"));
  EXPECT_REFUSED(unknown, ErrorCode::kOutcomeUnknown);
  log.SetOutcome(PublishOutcome::kPersisted);
  clock.Advance(std::chrono::seconds(5));
  const auto again = Enqueue(ARequest("k1"));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->alert_id(), unknown.error().subject);
  ASSERT_THAT(Normal(), SizeIs(2));  // the same attempt twice: one claim is granted
  EXPECT_EQ(AttemptText(Normal()[0].attempt()), AttemptText(Normal()[1].attempt()));
  EXPECT_EQ(Normal()[0].create_time_us(), Normal()[1].create_time_us());
}

TEST_F(AcceptanceTest, KeepsWhatMayHaveBeenPublishedEvenIfALaterPublishFails) {  // R1
  log.SetOutcome(PublishOutcome::kUnknown);
  const auto first = Enqueue(ARequest("k1"));
  EXPECT_REFUSED(first, ErrorCode::kOutcomeUnknown);
  log.SetOutcome(PublishOutcome::kNotPersisted);
  const auto second = Enqueue(ARequest("k1"));
  EXPECT_REFUSED(second, ErrorCode::kOutcomeUnknown);
  EXPECT_EQ(second.error().subject, first.error().subject);
  vault.keys_unavailable = true;
  EXPECT_REFUSED(Enqueue(ARequest("k1")), ErrorCode::kOutcomeUnknown);
  vault.keys_unavailable = false;
  log.SetOutcome(PublishOutcome::kPersisted);
  const auto other = Enqueue(AnotherRequest("k1"));
  EXPECT_REFUSED(other, ErrorCode::kIdempotencyConflict);
}

// An earlier request with its key may have been accepted: nothing is known about it.
TEST_F(AcceptanceTest, AKeyedEmergencyThatIsNotPublishedWithoutTheStoreHasAnUnknownOutcome) {  // R6
  const auto first = Enqueue(AnEmergency("k1"));
  ASSERT_TRUE(first);
  admissions.SetDown(true);
  log.SetOutcome(PublishOutcome::kNotPersisted);
  const auto second = Enqueue(AnEmergency("k1"));
  EXPECT_REFUSED(second, ErrorCode::kOutcomeUnknown);
  EXPECT_EQ(second.error().subject, first->alert_id());
  EXPECT_REFUSED(Enqueue(AnEmergency()), ErrorCode::kKafkaUnavailable);
}

TEST_F(AcceptanceTest, AnUnknownOutcomeWithoutAKeyIsNotRetryable) {
  log.SetOutcome(PublishOutcome::kUnknown);
  const auto unknown = Enqueue(ARequest());
  EXPECT_REFUSED(unknown, ErrorCode::kOutcomeUnknownNoKey);
  EXPECT_FALSE(TraitsOf(unknown.error().code).retryable);
}

TEST_F(AcceptanceTest, AcceptsOnlyEmergenciesWithoutTheStore) {  // R6
  admissions.SetDown(true);
  const auto normal = Enqueue(ARequest("k1"));
  EXPECT_REFUSED(normal, ErrorCode::kRedisUnavailable);
  EXPECT_THAT(log.Records(), IsEmpty());
  const auto emergency = Enqueue(AnEmergency("k2"));
  ASSERT_TRUE(emergency);
  EXPECT_THAT(log.On<records::v1::WorkRecord>(topics.Lane(v1::CHANNEL_SMS, v1::PRIORITY_EMERGENCY)),
              SizeIs(1));
}

TEST_F(AcceptanceTest, AKeyedEmergencyHasTheSameIdWithAndWithoutTheStore) {  // A3
  admissions.SetDown(true);
  const auto without = Enqueue(AnEmergency("k1"));
  admissions.SetDown(false);
  const auto with = Enqueue(AnEmergency("k1"));
  ASSERT_TRUE(without && with);
  EXPECT_EQ(without->alert_id(), with->alert_id());
}

TEST_F(AcceptanceTest, EmergenciesWithOneKeyHaveDifferentIdsIfTheyDiffer) {  // A3, R6
  admissions.SetDown(true);
  v1::EnqueueRequest other = AnEmergency("k1");
  other.set_text("Boiler 4 is too hot");
  const auto first = Enqueue(AnEmergency("k1"));
  const auto second = Enqueue(other);
  ASSERT_TRUE(first && second);
  EXPECT_NE(first->alert_id(), second->alert_id());
}

TEST_F(AcceptanceTest, AcceptsOnlyEmergenciesWithAKeyWhileAcceptancesAreRestored) {  // A3, R6
  admissions.StartRestoring();
  const auto refused = Enqueue(ARequest("k1"));
  EXPECT_REFUSED(refused, ErrorCode::kRedisUnavailable);
  EXPECT_THAT(refused.error().message, HasSubstr("being restored"));
  EXPECT_TRUE(refused.error().retry_after);
  EXPECT_TRUE(Enqueue(AnEmergency("k2")));
  EXPECT_TRUE(Enqueue(ARequest()));
}

TEST_F(AcceptanceTest, ReportsAlertsThatTheStoreDoesNotKnow) {  // A2, R6
  std::vector<WallTime> not_stored;
  Acceptance reporting({clock, registry, admissions, vault, log, topics,
                        [&](WallTime time) { not_stored.push_back(time); }},
                       {});
  ASSERT_TRUE(Enqueue(reporting, AnEmergency("k1")));
  admissions.SetDown(true);
  ASSERT_TRUE(Enqueue(reporting, AnEmergency()));  // without a key the store need not know it
  EXPECT_THAT(not_stored, IsEmpty());
  ASSERT_TRUE(Enqueue(reporting, AnEmergency("k2")));
  log.SetOutcome(PublishOutcome::kNotPersisted);
  ASSERT_FALSE(Enqueue(reporting, AnEmergency("k3")));
  EXPECT_THAT(not_stored, testing::ElementsAre(clock.Now()));
}

TEST_F(AcceptanceTest, PublishesNothingWithoutEncryptionKeys) {  // P1
  vault.keys_unavailable = true;
  const auto refused = Enqueue(ARequest("k1"));
  EXPECT_REFUSED(refused, ErrorCode::kKmsUnavailable);
  EXPECT_THAT(log.Records(), IsEmpty());
  vault.keys_unavailable = false;
  EXPECT_TRUE(Enqueue(AnotherRequest("k1")));  // nothing was kept of the first
}

TEST_F(AcceptanceTest, RefusesAlertsAboveTheLimitUntilAResponse) {
  HeldLog held(log);
  Acceptance full = With(held, {.max_in_flight = 1});
  Response first, second;
  Start(full, ARequest(), first);
  const auto refused = Enqueue(full, ARequest());
  EXPECT_REFUSED(refused, ErrorCode::kOverloaded);
  EXPECT_TRUE(refused.error().retry_after);
  EXPECT_EQ(held.Held(), 1u);
  held.ReleaseOne();
  Start(full, ARequest(), second);
  held.ReleaseOne();
  EXPECT_TRUE(first && *first && second && *second);
  EXPECT_EQ(full.InFlight(), 0u);
}

TEST_F(AcceptanceTest, PublishesADelayedAlertToItsLaneWithItsSendTime) {  // A5
  v1::EnqueueRequest request = ARequest();
  request.mutable_send_time()->set_seconds(ToUnixMicros(clock.Now()) / 1'000'000 + 3600);
  ASSERT_TRUE(Enqueue(request));
  ASSERT_THAT(Normal(), SizeIs(1));
  EXPECT_EQ(Normal()[0].send_time_us(), ToUnixMicros(clock.Now() + std::chrono::hours(1)));
}

TEST_F(AcceptanceTest, AcceptsAnEmergencyWhileBulkFillsItsShare) {  // A4
  HeldLog held(log);
  Acceptance small = With(held, {.max_in_flight = 10});
  std::vector<Response> responses(10);
  v1::EnqueueRequest bulk = ARequest();
  bulk.set_priority(v1::PRIORITY_BULK);
  for (size_t i = 0; i < 7; ++i) Start(small, bulk, responses[i]);
  EXPECT_REFUSED(Enqueue(small, bulk), ErrorCode::kOverloaded);
  Start(small, ARequest(), responses[7]);
  EXPECT_REFUSED(Enqueue(small, ARequest()), ErrorCode::kOverloaded);
  v1::EnqueueRequest high = ARequest();
  high.set_priority(v1::PRIORITY_HIGH);
  Start(small, high, responses[8]);
  EXPECT_REFUSED(Enqueue(small, high), ErrorCode::kOverloaded);
  Start(small, AnEmergency(), responses[9]);
  EXPECT_REFUSED(Enqueue(small, AnEmergency()), ErrorCode::kOverloaded);
  while (held.Held() > 0) held.ReleaseOne();
  for (const Response& response : responses) EXPECT_TRUE(response && *response);
}

TEST_F(AcceptanceTest, AcceptsAnEmergencyWhileLargeBulkRecordsFillTheirShareOfTheBytes) {  // A4
  v1::EnqueueRequest bulk = ARequest();
  bulk.set_priority(v1::PRIORITY_BULK);
  bulk.set_text(std::string(1'000, 'x'));
  ASSERT_TRUE(Enqueue(bulk));
  HeldLog held(log);
  Acceptance small = With(held, {.max_bytes_in_flight = 10 * (log.Records()[0].value.size() + 16)});
  std::vector<Response> responses(8);
  for (size_t i = 0; i < 7; ++i) Start(small, bulk, responses[i]);
  EXPECT_EQ(held.Held(), 7u);
  bulk.set_idempotency_key("k1");
  const auto refused = Enqueue(small, bulk);
  EXPECT_REFUSED(refused, ErrorCode::kOverloaded);
  EXPECT_TRUE(refused.error().retry_after);
  Start(small, AnEmergency(), responses[7]);
  EXPECT_EQ(held.Held(), 8u);
  while (held.Held() > 0) held.ReleaseOne();
  for (const Response& response : responses) EXPECT_TRUE(response && *response);
  bulk.set_text("another");  // no conflict: the refused one was withdrawn
  Response again;
  Start(small, bulk, again);
  ASSERT_EQ(held.Held(), 1u);
  held.ReleaseOne();
  EXPECT_TRUE(again && *again);
}

TEST_F(AcceptanceTest, ExactlyOneOfSeveralConcurrentRequestsWithOneKeyIsFirst) {  // A3
  HeldLog held(log);
  Acceptance waiting = With(held);
  std::vector<Response> responses(3);
  for (Response& response : responses) Start(waiting, ARequest("k1"), response);
  EXPECT_EQ(held.Held(), 1u);
  held.ReleaseOne();
  int first = 0;
  for (const Response& response : responses) {
    ASSERT_TRUE(response && *response);
    if (!(*response)->replayed()) ++first;
    EXPECT_EQ((*response)->alert_id(), (*responses[0])->alert_id());
  }
  EXPECT_EQ(first, 1);
  EXPECT_FALSE((*responses[0])->replayed());
  EXPECT_THAT(Normal(), SizeIs(1));
  EXPECT_EQ(waiting.InFlight(), 0u);
}

TEST_F(AcceptanceTest, AConcurrentRequestOfTheSameKeyConflictsIfItDiffers) {  // A3
  HeldLog held(log);
  Acceptance waiting = With(held);
  Response first, other;
  Start(waiting, ARequest("k1"), first);
  Start(waiting, AnotherRequest("k1"), other);
  held.ReleaseOne();
  ASSERT_TRUE(first && *first && other);
  EXPECT_REFUSED(*other, ErrorCode::kIdempotencyConflict);
  EXPECT_EQ(other->error().subject, (*first)->alert_id());
}

TEST_F(AcceptanceTest, AConcurrentRequestSharesTheErrorOfTheFirst) {  // A3, R1
  HeldLog held(log);
  Acceptance waiting = With(held);
  Response first, same, other;
  Start(waiting, ARequest("k1"), first);
  Start(waiting, ARequest("k1"), same);
  Start(waiting, AnotherRequest("k1"), other);
  log.SetOutcome(PublishOutcome::kUnknown);
  held.ReleaseOne();
  ASSERT_TRUE(first && same && other);
  EXPECT_REFUSED(*first, ErrorCode::kOutcomeUnknown);
  EXPECT_REFUSED(*same, ErrorCode::kOutcomeUnknown);
  EXPECT_EQ(same->error().subject, first->error().subject);
  EXPECT_REFUSED(*other, ErrorCode::kOverloaded);
  log.SetOutcome(PublishOutcome::kPersisted);
  Response again;
  Start(waiting, ARequest("k1"), again);
  held.ReleaseOne();
  ASSERT_TRUE(again && *again);
  EXPECT_TRUE((*again)->replayed()) << "the key was used before";
}

TEST_F(AcceptanceTest, ADuplicateOfARequestInAnotherProcessIsAReplay) {  // A3
  HeldLog held(log);
  Acceptance one = With(held), other = With(log);
  Response first;
  Start(one, ARequest("k1"), first);
  const auto second = Enqueue(other, ARequest("k1"));
  held.ReleaseOne();
  ASSERT_TRUE(first && *first && second);
  EXPECT_FALSE((*first)->replayed());
  EXPECT_TRUE(second->replayed());
  EXPECT_EQ(second->alert_id(), (*first)->alert_id());
}

TEST_F(AcceptanceTest, RefusesMetadataThatLooksLikePiiUnlessItIsAllowed) {  // P3
  v1::EnqueueRequest request = ARequest();
  (*request.mutable_labels())["contact"] = "514-555-0123";
  const auto refused = Enqueue(request);
  EXPECT_REFUSED(refused, ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused.error().field, "labels.value");
  Acceptance lenient = With(log, {.rules = {.allow_pii_like_metadata = true}});
  EXPECT_TRUE(Enqueue(lenient, request));
}

}  // namespace
}  // namespace tocsin::ingress
