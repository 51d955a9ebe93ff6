// Requests with an idempotency key: repetitions, concurrent ones, and those whose outcome is
// unknown.
#include "services/ingress/acceptance/acceptance.h"

#include "common/domain/alert/ids.h"
#include "common/ports/consistency_token.h"
#include "tests/services/ingress/acceptance/acceptance_fixture.h"

namespace tocsin::ingress {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

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

TEST_F(AcceptanceTest, RefusesAnotherRequestWithTheSameKeyAndNamesTheFirst) {  // A3
  const auto first = Enqueue(ARequest("k1"));
  const auto second = Enqueue(AnotherRequest("k1"));
  ASSERT_TRUE(first);
  EXPECT_REFUSED(second, ErrorCode::kIdempotencyConflict);
  EXPECT_EQ(second.error().subject, first->alert_id());
  EXPECT_EQ(second.error().field, "idempotency_key");
  EXPECT_THAT(Normal(), SizeIs(1));
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

}  // namespace
}  // namespace tocsin::ingress
