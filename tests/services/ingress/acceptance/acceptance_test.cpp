#include "services/ingress/acceptance/acceptance.h"

#include "common/domain/alert/ids.h"
#include "common/domain/alert/issued_id.h"
#include "common/ports/consistency_token.h"
#include "common/ports/sealed_content.h"
#include "services/ingress/ack_links/ack_token.h"
#include "tests/services/ingress/acceptance/acceptance_fixture.h"

namespace tocsin::ingress {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;
using testing::SizeIs;

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

TEST_F(AcceptanceTest, AcceptsTheSameRequestTwiceWithoutAKey) {
  const auto first = Enqueue(ARequest());
  const auto second = Enqueue(ARequest());
  ASSERT_TRUE(first && second);
  EXPECT_NE(first->alert_id(), second->alert_id());
  EXPECT_THAT(Normal(), SizeIs(2));
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
