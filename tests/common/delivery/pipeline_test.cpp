#include "common/delivery/pipeline.h"

#include "tests/common/delivery/delivery_fixture.h"

namespace tocsin {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// Of the recipient from the sender.
records::v1::ConsentRecord OptOut(const records::v1::WorkRecord& work) {
  records::v1::ConsentRecord consent;
  *consent.mutable_recipient() = work.recipient();
  consent.set_sender_address("+15017122661");
  consent.set_state(records::v1::CONSENT_STATE_OPTED_OUT);
  return consent;
}

class DeliveryPipelineTest : public DeliveryFixture {};

TEST_F(DeliveryPipelineTest, PublishesTheStartBeforeThePostAndTheResultAfterIt) {  // S1, S3
  provider.during_post = [&] { EXPECT_THAT(Statuses(), ElementsAre(v1::ATTEMPT_STATUS_SENDING)); };
  EXPECT_EQ(Deliver(AWork()), DeliveryResult::kSent);
  ASSERT_THAT(provider.sent, SizeIs(1));
  EXPECT_EQ(provider.sent[0].to, kNumber);
  EXPECT_EQ(provider.sent[0].text, kText);
  EXPECT_EQ(provider.sent[0].validity, seconds(36'000));
  EXPECT_THAT(Statuses(), ElementsAre(v1::ATTEMPT_STATUS_SENDING, v1::ATTEMPT_STATUS_SENT));
  EXPECT_EQ(Events()[1].attempt_changed().provider_sid(), provider.result.provider_sid());
}

TEST_F(DeliveryPipelineTest, DoesNotSendToARecipientWhoOptedOut) {  // S4
  consents.Apply(OptOut(AWork()));
  EXPECT_EQ(Deliver(AWork()), DeliveryResult::kNotAttempted);
  EXPECT_THAT(provider.sent, IsEmpty());
  ASSERT_THAT(Statuses(), ElementsAre(v1::ATTEMPT_STATUS_SUPPRESSED));
  EXPECT_EQ(Events()[0].attempt_changed().reason(), "OPTED_OUT");
  EXPECT_TRUE(Events()[0].attempt_changed().last());
}

TEST_F(DeliveryPipelineTest, DoesNotSendAnExpiredAlert) {  // A5
  const records::v1::WorkRecord work = AWork();
  clock.Advance(std::chrono::hours(24));
  EXPECT_EQ(Deliver(work), DeliveryResult::kNotAttempted);
  EXPECT_THAT(provider.sent, IsEmpty());
  EXPECT_THAT(Statuses(), ElementsAre(v1::ATTEMPT_STATUS_EXPIRED));
}

TEST_F(DeliveryPipelineTest, DoesNotPostWhenTheAlertExpiresDuringAPublish) {  // A5
  records::v1::WorkRecord work = AWork();
  work.set_expire_time_us(ToUnixMicros(clock.Now() + seconds(2)));
  log.BeforePublish([this] { clock.Advance(seconds(3)); });
  EXPECT_EQ(Deliver(work).error().code, ErrorCode::kOverloaded);
  EXPECT_THAT(provider.sent, IsEmpty());
  EXPECT_EQ(Deliver(work),
            DeliveryResult::kNotAttempted);  // the claim was released
  EXPECT_THAT(provider.sent, IsEmpty());
  EXPECT_EQ(Events().back().attempt_changed().status(), v1::ATTEMPT_STATUS_EXPIRED);
}

TEST_F(DeliveryPipelineTest, ReschedulesWorkThatIsNotDueWithoutItsAcceptance) {  // A5, R3
  records::v1::WorkRecord work = AWork();
  work.set_send_time_us(ToUnixMicros(clock.Now() + seconds(90)));
  work.mutable_acceptance()->set_nonce("n");
  EXPECT_EQ(Deliver(work), DeliveryResult::kRescheduled);
  ASSERT_THAT(Waiting(), SizeIs(1));
  EXPECT_FALSE(Waiting()[0].has_acceptance());
  EXPECT_EQ(log.Records()[0].topic, "tocsin.delay.other.1m");
  EXPECT_THAT(Events(), IsEmpty());
}

TEST_F(DeliveryPipelineTest, PostsOnceForARepeatedRecord) {  // R1, R4
  const records::v1::WorkRecord work = AWork();
  EXPECT_EQ(Deliver(work), DeliveryResult::kSent);
  const auto first = log.Records();
  EXPECT_EQ(Deliver(work), DeliveryResult::kSent);
  EXPECT_THAT(provider.sent, SizeIs(1));
  const auto both = log.Records();
  ASSERT_THAT(both, SizeIs(first.size() + 1));
  EXPECT_EQ(both.back().value, first.back().value);  // identical bytes
}

TEST_F(DeliveryPipelineTest, DoesNotPostWhenTheStartCannotBePublished) {  // R1
  const records::v1::WorkRecord work = AWork();
  log.SetOutcome(PublishOutcome::kNotPersisted);
  EXPECT_EQ(Deliver(work).error().code, ErrorCode::kKafkaUnavailable);
  log.SetOutcome(PublishOutcome::kUnknown);
  EXPECT_EQ(Deliver(work).error().code, ErrorCode::kOutcomeUnknown);
  EXPECT_THAT(provider.sent, IsEmpty());
  log.SetOutcome(PublishOutcome::kPersisted);
  EXPECT_EQ(Deliver(work), DeliveryResult::kSent);  // the claim was released
  EXPECT_THAT(provider.sent, SizeIs(1));
}

TEST_F(DeliveryPipelineTest, DoesNotPostAgainWhenTheResultCannotBePublished) {  // R1, R4
  const records::v1::WorkRecord work = AWork();
  provider.during_post = [&] { log.SetOutcome(PublishOutcome::kNotPersisted); };
  EXPECT_EQ(Deliver(work).error().code, ErrorCode::kKafkaUnavailable);
  log.SetOutcome(PublishOutcome::kPersisted);
  EXPECT_EQ(Deliver(work), DeliveryResult::kSent);
  EXPECT_THAT(provider.sent, SizeIs(1));
  EXPECT_EQ(Statuses().back(), v1::ATTEMPT_STATUS_SENT);
}

TEST_F(DeliveryPipelineTest, PublishesTheResultWhenTheStoreFailsAfterThePost) {  // R6
  provider.during_post = [&] { claims.SetDown(true); };
  EXPECT_EQ(Deliver(AWork()), DeliveryResult::kSent);
  EXPECT_EQ(Statuses().back(), v1::ATTEMPT_STATUS_SENT);
}

TEST_F(DeliveryPipelineTest, DoesNotPostWhileTheStoreIsDown) {
  claims.SetDown(true);
  EXPECT_EQ(Deliver(AWork()).error().code, ErrorCode::kRedisUnavailable);
  EXPECT_THAT(provider.sent, IsEmpty());
  EXPECT_THAT(log.Records(), IsEmpty());
}

TEST_F(DeliveryPipelineTest, ReschedulesWorkThatMayHaveStartedBeforeTheDataLoss) {  // R1
  records::v1::WorkRecord old = AWork();
  old.set_first_publish_time_us(ToUnixMicros(clock.Now() - seconds(1)));
  records::v1::WorkRecord recent = AWork();
  recent.mutable_attempt()->set_step(2);
  Seal(recent);
  recent.set_first_publish_time_us(ToUnixMicros(clock.Now()));
  claims.complete_since = clock.Now();
  EXPECT_EQ(Deliver(old), DeliveryResult::kRescheduled);
  EXPECT_EQ(Deliver(recent), DeliveryResult::kSent);
  claims.complete_since = WallTime::min();
  clock.Advance(seconds(2));
  EXPECT_EQ(Deliver(Waiting()[0]), DeliveryResult::kSent);
}

TEST_F(DeliveryPipelineTest, ReschedulesUntilTheLeaseOfTheHolderExpires) {
  const records::v1::WorkRecord work = AWork();
  ASSERT_TRUE(Await(claims.Claim({.attempt = work.attempt(),
                                  .client_id = {},
                                  .owner = "another",
                                  .lease = seconds(35),
                                  .not_attempted = {},
                                  .work = {},
                                  .expire_time = {}})));
  clock.Advance(seconds(5));
  EXPECT_EQ(Deliver(work), DeliveryResult::kRescheduled);
  EXPECT_THAT(provider.sent, IsEmpty());
  ASSERT_THAT(Waiting(), SizeIs(1));
  EXPECT_EQ(Waiting()[0].due_time_us(), ToUnixMicros(clock.Now() + seconds(30)));
}

TEST_F(DeliveryPipelineTest, SchedulesALookupWhenTheHolderDied) {  // R4
  const records::v1::WorkRecord work = AWork();
  ASSERT_TRUE(Await(claims.Claim({.attempt = work.attempt(),
                                  .client_id = {},
                                  .owner = "killed",
                                  .lease = seconds(35),
                                  .not_attempted = {},
                                  .work = {},
                                  .expire_time = {}})));
  const std::int64_t begin_us = ToUnixMicros(clock.Now());
  const records::v1::Event started =
      AttemptStarted(work, begin_us, begin_us + 35'000'000, "main", kTestAccount);
  log.Publish({topics.Events(), work.attempt().alert_id(), started.SerializeAsString(), {}},
              [](const PublishReport&) {});
  clock.Advance(seconds(35));
  EXPECT_EQ(Deliver(work), DeliveryResult::kInDoubt);
  EXPECT_THAT(provider.sent, IsEmpty());  // never a blind resend
  EXPECT_THAT(Statuses(), ElementsAre(v1::ATTEMPT_STATUS_SENDING, v1::ATTEMPT_STATUS_IN_DOUBT));
  ASSERT_THAT(Waiting(), SizeIs(1));
  const records::v1::WorkRecord lookup = Waiting()[0];
  EXPECT_EQ(lookup.kind(), records::v1::WORK_KIND_RESOLVE);
  EXPECT_EQ(lookup.in_doubt().post_time_us() + 35'000'000, lookup.in_doubt().begin_time_us());
  EXPECT_EQ(lookup.in_doubt().account_sid(), kTestAccount);
  EXPECT_THAT(Dead(), IsEmpty());
}

TEST_F(DeliveryPipelineTest, ExpiresOnlyAnAttemptThatNeverStarted) {  // A5, R4
  const records::v1::WorkRecord work = AWork();
  EXPECT_EQ(Deliver(work), DeliveryResult::kSent);
  clock.Advance(std::chrono::hours(25));
  EXPECT_EQ(Deliver(work), DeliveryResult::kSent);  // a started attempt keeps its result
  EXPECT_EQ(Statuses().back(), v1::ATTEMPT_STATUS_SENT);
}

TEST_F(DeliveryPipelineTest, RetriesLaterAfterARateLimit) {  // R2
  provider.result = FakeProvider::Of(records::v1::ATTEMPT_OUTCOME_RATE_LIMITED);
  provider.result.set_retry_after_us(3'000'000);
  EXPECT_EQ(Deliver(AWork()), DeliveryResult::kFailed);
  ASSERT_THAT(Waiting(), SizeIs(1));
  const records::v1::WorkRecord next = Waiting()[0];
  EXPECT_EQ(next.attempt().attempt(), 2);
  EXPECT_EQ(next.retry_budget().attempts_used(), 1);  // a retry after a rate limit is not metered
  EXPECT_GE(next.due_time_us(), ToUnixMicros(clock.Now()) + 3'000'000);
  EXPECT_THAT(Dead(), IsEmpty());
}

TEST_F(DeliveryPipelineTest, DeadLettersAPermanentRefusal) {  // R2, R3
  provider.result =
      FakeProvider::Refused(records::v1::PROVIDER_ERROR_CLASS_PERMANENT_NUMBER, 21614);
  EXPECT_EQ(Deliver(AWork()), DeliveryResult::kFailed);
  EXPECT_THAT(Waiting(), IsEmpty());
  ASSERT_THAT(Dead(), SizeIs(1));
  EXPECT_EQ(Dead()[0].provider_code(), 21614);
  EXPECT_EQ(Dead()[0].position().topic(), "tocsin.sms.normal");
}

TEST_F(DeliveryPipelineTest, PublishesAnOptOutThatTheProviderReports) {  // S4
  provider.result = FakeProvider::Refused(records::v1::PROVIDER_ERROR_CLASS_OPT_OUT, 21610);
  EXPECT_EQ(Deliver(AWork()), DeliveryResult::kFailed);
  EXPECT_THAT(log.On<records::v1::ConsentRecord>(topics.Consents()), SizeIs(1));
  records::v1::WorkRecord second = AWork();
  second.mutable_attempt()->set_step(2);
  EXPECT_EQ(Deliver(second), DeliveryResult::kNotAttempted);
  EXPECT_THAT(provider.sent, SizeIs(1));
}

TEST_F(DeliveryPipelineTest, ReservesTheSendersRateOnceAndReschedules) {  // L1
  records::v1::WorkRecord work = AWork();
  work.set_segment_count(1000);  // 12.5 s at 80 a second
  EXPECT_EQ(Deliver(work), DeliveryResult::kSent);
  records::v1::WorkRecord second = AWork();
  second.mutable_attempt()->set_step(2);
  Seal(second);
  EXPECT_EQ(Deliver(second), DeliveryResult::kRescheduled);
  ASSERT_THAT(Waiting(), SizeIs(1));
  clock.Advance(seconds(20));
  EXPECT_EQ(Deliver(Waiting()[0]), DeliveryResult::kSent);  // no second reservation
}

// Otherwise an outage of Kafka would use up the sender's rate, and alerts would expire.
TEST_F(DeliveryPipelineTest, ADeliveryThatIsRepeatedReservesTheSendersRateOnce) {  // L1
  records::v1::WorkRecord work = AWork();
  work.set_segment_count(1000);  // 12.5 s at 80 a second
  records::v1::WorkRecord second = AWork();
  second.mutable_attempt()->set_step(2);
  Seal(second);
  for (const auto& each : {work, second}) {
    log.SetOutcome(PublishOutcome::kNotPersisted);
    for (int i = 0; i < 3; ++i) EXPECT_FALSE(Deliver(each));
    log.SetOutcome(PublishOutcome::kPersisted);
    EXPECT_TRUE(Deliver(each));
  }
  EXPECT_THAT(provider.sent, SizeIs(1));
  ASSERT_THAT(Waiting(), SizeIs(1));
  EXPECT_LT(Waiting()[0].rate_reservation().time_us(), ToUnixMicros(clock.Now() + seconds(13)));
}

TEST_F(DeliveryPipelineTest, SendsAnEmergencyWithoutARateReservation) {  // A4, V7
  records::v1::WorkRecord bulk = AWork();
  bulk.set_segment_count(100'000);
  EXPECT_EQ(Deliver(bulk), DeliveryResult::kSent);
  records::v1::WorkRecord emergency = AWork();
  emergency.mutable_attempt()->set_step(2);
  Seal(emergency);
  emergency.set_priority(v1::PRIORITY_EMERGENCY);
  pacer.SetDown(true);
  EXPECT_EQ(Deliver(emergency), DeliveryResult::kSent);
}

TEST_F(DeliveryPipelineTest, DeadLettersAnUnparsableRecord) {
  IncomingRecord record = RecordOf(AWork());
  record.value = "\xff\xff not a record";
  EXPECT_EQ(Await(pipeline.Deliver(record)), DeliveryResult::kUnparsable);
  ASSERT_THAT(Dead(), SizeIs(1));
  EXPECT_EQ(Dead()[0].unparsed(), record.value);
}

TEST_F(DeliveryPipelineTest, RejectsContentOfAnotherAlert) {  // P1
  records::v1::WorkRecord work = AWork();
  *work.mutable_content() = vault.Seal({"demo", "another alert", "content"}, "x")->sealed;
  EXPECT_EQ(Deliver(work), DeliveryResult::kNotAttempted);
  EXPECT_THAT(Statuses(), ElementsAre(v1::ATTEMPT_STATUS_REJECTED));
  EXPECT_THAT(provider.sent, IsEmpty());
}

TEST_F(DeliveryPipelineTest, RetriesWhileKeysAreUnavailable) {
  const records::v1::WorkRecord work = AWork();
  vault.keys_unavailable = true;
  EXPECT_EQ(Deliver(work).error().code, ErrorCode::kKmsUnavailable);
  vault.keys_unavailable = false;
  EXPECT_EQ(Deliver(work), DeliveryResult::kSent);
}

TEST_F(DeliveryPipelineTest, CopiesTheTraceToEveryRecord) {  // O3
  ASSERT_TRUE(Deliver(AWork()));
  for (const OutgoingRecord& record : log.Records()) {
    const auto trace =
        std::find_if(record.headers.begin(), record.headers.end(),
                     [](const auto& header) { return header.first == "traceparent"; });
    EXPECT_NE(trace, record.headers.end()) << record.topic;
  }
}

TEST_F(DeliveryPipelineTest, PassesTheTraceToTheProvider) {  // O3
  ASSERT_TRUE(Deliver(AWork()));
  EXPECT_THAT(provider.sent.at(0).traceparent,
              testing::HasSubstr("0af7651916cd43dd8448eb211c80319c"));
}

TEST_F(DeliveryPipelineTest, ReportsTheSubmitLatencyOfTheFirstAttempt) {
  records::v1::WorkRecord work = AWork();
  provider.during_post = [this] { clock.Advance(seconds(2)); };
  EXPECT_EQ(Deliver(work), DeliveryResult::kSent);
  work.mutable_attempt()->set_attempt(2);
  provider.result = FakeProvider::Accepted("SM00000000000000000000000000000002");
  EXPECT_EQ(Deliver(work), DeliveryResult::kSent);
  EXPECT_THAT(probe.Submitted(), ElementsAre(std::pair(v1::PRIORITY_NORMAL, Micros(seconds(2)))));
}

TEST_F(DeliveryPipelineTest, PublishesNeitherNumberNorTextInTheClear) {  // P3
  provider.result =
      FakeProvider::Refused(records::v1::PROVIDER_ERROR_CLASS_PERMANENT_NUMBER, 21614);
  ASSERT_TRUE(Deliver(AWork()));
  for (const OutgoingRecord& record : log.Records()) {
    EXPECT_EQ(record.value.find("5145550123"), std::string::npos) << record.topic;
    EXPECT_EQ(record.value.find("Boiler"), std::string::npos) << record.topic;
  }
}

// With room for one POST.
class PermittedPostTest : public DeliveryFixture {
 protected:
  PostPermit APost() {
    std::optional<PostPermit> permit = *RunReady(limiter.Acquire(v1::PRIORITY_NORMAL));
    EXPECT_TRUE(*RunReady(permit->AwaitTurn(clock.SteadyNow() + seconds(1))));
    return *std::move(permit);
  }
  void Start(const records::v1::WorkRecord& work) {
    record = RecordOf(work);
    deliveries.Start(Run());
    scheduler.Run();
  }
  Task<void> Run() { result = co_await pipeline.Deliver(record); }

  ManualScheduler scheduler{clock};
  PostLimiter limiter{clock, scheduler, {.posts = 1, .reserved = 0}};
  DeliveryPipeline pipeline{v1::CHANNEL_SMS,
                            {clock, registry, consents, claims, pacer, vault, limiter, provider,
                             list, log, log_history, topics, probe},
                            {.owner = "test", .retry = {}}};
  IncomingRecord record;
  std::optional<Result<DeliveryResult>> result;
  TaskGroup deliveries;
};

TEST_F(PermittedPostTest, NeitherClaimsNorStartsWithoutAPermit) {  // R4, R5
  PostPermit other = APost();
  Start(AWork());
  EXPECT_EQ(claims.requests, 0);
  EXPECT_THAT(Events(), IsEmpty());
  other.Release();
  scheduler.Run();
  EXPECT_EQ(result, Result<DeliveryResult>(DeliveryResult::kSent));
}

TEST_F(PermittedPostTest, ReleasesTheClaimIfItsTurnComesTooLate) {  // R4
  const records::v1::WorkRecord work = AWork();
  APost().Release();  // so that the next one may be prepared ahead
  PostPermit other = APost();
  Start(work);
  EXPECT_THAT(Statuses(), ElementsAre(v1::ATTEMPT_STATUS_SENDING));
  clock.Advance(seconds(6));
  scheduler.Run();
  ASSERT_TRUE(result);
  EXPECT_EQ(result->error().code, ErrorCode::kOverloaded);
  EXPECT_THAT(provider.sent, IsEmpty());
  other.Release();
  Start(work);
  EXPECT_EQ(result, Result<DeliveryResult>(DeliveryResult::kSent));
}

TEST_F(PermittedPostTest, SendsNothingToARecipientWhoOptsOutMeanwhile) {  // S4
  const records::v1::WorkRecord work = AWork();
  APost().Release();  // so that the next one may be prepared ahead
  PostPermit other = APost();
  Start(work);
  consents.Apply(OptOut(work));
  other.Release();
  scheduler.Run();
  ASSERT_TRUE(result);
  EXPECT_EQ(result->error().code, ErrorCode::kOverloaded);
  Start(work);
  EXPECT_EQ(result, Result<DeliveryResult>(DeliveryResult::kNotAttempted));
  EXPECT_THAT(provider.sent, IsEmpty());
}

TEST_F(PermittedPostTest, ItsValidityEndsWithTheAlert) {  // A5
  records::v1::WorkRecord work = AWork();
  work.set_expire_time_us(ToUnixMicros(clock.Now() + seconds(40)));
  APost().Release();  // so that the next one may be prepared ahead
  PostPermit other = APost();
  Start(work);
  clock.Advance(seconds(3));
  other.Release();
  scheduler.Run();
  ASSERT_THAT(provider.sent, SizeIs(1));
  EXPECT_EQ(provider.sent[0].validity, seconds(37));
}

TEST_F(PermittedPostTest, SendsNothingAfterTheLimiterWasClosed) {  // O8
  PostPermit other = APost();
  Start(AWork());
  limiter.Close();
  scheduler.Run();
  ASSERT_TRUE(result);
  EXPECT_EQ(result->error().code, ErrorCode::kOverloaded);
  EXPECT_EQ(claims.requests, 0);
}

}  // namespace
}  // namespace tocsin
