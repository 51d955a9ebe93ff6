#include "common/delivery/pipeline.h"

#include "tests/common/delivery/delivery_fixture.h"

namespace tocsin {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class DeliveryPipelineTest : public DeliveryFixture {};

TEST_F(DeliveryPipelineTest, SaysThatATryBeginsBeforeItPostsAndThatItWasSentAfter) {  // S1, S3
  carrier.during_post = [&] { EXPECT_THAT(Statuses(), ElementsAre(v1::TRY_STATUS_SENDING)); };
  EXPECT_EQ(Deliver(AWork()), Passage::kSent);
  ASSERT_THAT(carrier.sent, SizeIs(1));
  EXPECT_EQ(carrier.sent[0].to, kNumber);
  EXPECT_EQ(carrier.sent[0].text, kText);
  EXPECT_EQ(carrier.sent[0].validity, seconds(36'000));
  EXPECT_THAT(Statuses(), ElementsAre(v1::TRY_STATUS_SENDING, v1::TRY_STATUS_SENT));
  EXPECT_EQ(Events()[1].try_changed().provider_sid(), carrier.answer.provider_sid());
}

TEST_F(DeliveryPipelineTest, SendsNothingToANumberThatOptedOut) {  // S4
  v1::ConsentRecord consent;
  *consent.mutable_recipient() = AWork().recipient();
  consent.set_sender("+15017122661");
  consent.set_state(v1::CONSENT_STATE_OPTED_OUT);
  consents.Apply(consent);
  EXPECT_EQ(Deliver(AWork()), Passage::kEnded);
  EXPECT_THAT(carrier.sent, IsEmpty());
  ASSERT_THAT(Statuses(), ElementsAre(v1::TRY_STATUS_SUPPRESSED));
  EXPECT_EQ(Events()[0].try_changed().reason(), "OPTED_OUT");
  EXPECT_TRUE(Events()[0].try_changed().last());
}

TEST_F(DeliveryPipelineTest, NeverSendsAnAlertWhoseTimeIsOver) {  // A5
  const v1::WorkRecord work = AWork();
  clock.Advance(std::chrono::hours(24));
  EXPECT_EQ(Deliver(work), Passage::kEnded);
  EXPECT_THAT(carrier.sent, IsEmpty());
  EXPECT_THAT(Statuses(), ElementsAre(v1::TRY_STATUS_EXPIRED));
}

TEST_F(DeliveryPipelineTest, PostsNothingWhenTheHorizonPassesWhileItWaitsForTheLog) {  // A5
  v1::WorkRecord work = AWork();
  work.set_not_after_us(ToUnixMicros(clock.Now() + seconds(2)));
  log.Meanwhile([this] { clock.Advance(seconds(3)); });
  EXPECT_EQ(Deliver(work).error().code, ErrorCode::kOverloaded);
  EXPECT_THAT(carrier.sent, IsEmpty());
  EXPECT_EQ(Deliver(work), Passage::kEnded);  // the record comes again; the claim was given back
  EXPECT_THAT(carrier.sent, IsEmpty());
  EXPECT_EQ(Events().back().try_changed().status(), v1::TRY_STATUS_EXPIRED);
}

TEST_F(DeliveryPipelineTest, HandsWhatIsNotDueToTheRelayWithoutItsAcceptance) {  // A5, R3
  v1::WorkRecord work = AWork();
  work.set_send_at_us(ToUnixMicros(clock.Now() + seconds(90)));
  work.mutable_acceptance()->set_nonce("n");
  EXPECT_EQ(Deliver(work), Passage::kWaits);
  ASSERT_THAT(Waiting(), SizeIs(1));
  EXPECT_FALSE(Waiting()[0].has_acceptance());
  EXPECT_EQ(log.Records()[0].topic, "tocsin.delay.other.1m");
  EXPECT_THAT(Events(), IsEmpty());
}

TEST_F(DeliveryPipelineTest, PostsOnceForARecordThatComesTwice) {  // R1, R4
  const v1::WorkRecord work = AWork();
  EXPECT_EQ(Deliver(work), Passage::kSent);
  const auto first = log.Records();
  EXPECT_EQ(Deliver(work), Passage::kSent);
  EXPECT_THAT(carrier.sent, SizeIs(1));
  const auto both = log.Records();
  ASSERT_THAT(both, SizeIs(first.size() + 1));
  EXPECT_EQ(both.back().value, first.back().value);  // the same to the byte
}

TEST_F(DeliveryPipelineTest, PostsNothingWhenTheLogDoesNotTakeTheBeginOfTheTry) {  // R1
  const v1::WorkRecord work = AWork();
  log.EndWith(PublishOutcome::kNotPersisted);
  EXPECT_EQ(Deliver(work).error().code, ErrorCode::kKafkaUnavailable);
  log.EndWith(PublishOutcome::kUnknown);
  EXPECT_EQ(Deliver(work).error().code, ErrorCode::kOutcomeUnknown);
  EXPECT_THAT(carrier.sent, IsEmpty());
  log.EndWith(PublishOutcome::kPersisted);
  EXPECT_EQ(Deliver(work), Passage::kSent);  // the claim was given back
  EXPECT_THAT(carrier.sent, SizeIs(1));
}

TEST_F(DeliveryPipelineTest, DoesNotPostAgainWhenTheOutcomeCannotBePublished) {  // R1, R4
  const v1::WorkRecord work = AWork();
  carrier.during_post = [&] { log.EndWith(PublishOutcome::kNotPersisted); };
  EXPECT_EQ(Deliver(work).error().code, ErrorCode::kKafkaUnavailable);
  log.EndWith(PublishOutcome::kPersisted);
  EXPECT_EQ(Deliver(work), Passage::kSent);
  EXPECT_THAT(carrier.sent, SizeIs(1));
  EXPECT_EQ(Statuses().back(), v1::TRY_STATUS_SENT);
}

TEST_F(DeliveryPipelineTest, SaysWhatCameOfThePostAlsoWhenTheStoreIsGone) {  // R6
  carrier.during_post = [&] { claims.SetDown(true); };
  EXPECT_EQ(Deliver(AWork()), Passage::kSent);
  EXPECT_EQ(Statuses().back(), v1::TRY_STATUS_SENT);
}

TEST_F(DeliveryPipelineTest, WaitsWithoutPostingWhileTheStoreIsDown) {
  claims.SetDown(true);
  EXPECT_EQ(Deliver(AWork()).error().code, ErrorCode::kRedisUnavailable);
  EXPECT_THAT(carrier.sent, IsEmpty());
  EXPECT_THAT(log.Records(), IsEmpty());
}

TEST_F(DeliveryPipelineTest, HoldsBackWhatMayHaveBeenBegunAndForgotten) {  // R1
  v1::WorkRecord old = AWork();
  old.set_first_published_us(ToUnixMicros(clock.Now() - seconds(1)));
  v1::WorkRecord young = AWork();
  young.mutable_try_()->set_step(2);
  young.set_first_published_us(ToUnixMicros(clock.Now()));
  claims.known_since = clock.Now();
  EXPECT_EQ(Deliver(old), Passage::kWaits);
  EXPECT_EQ(Deliver(young), Passage::kSent);
  claims.known_since = WallTime::min();
  clock.Advance(seconds(2));
  EXPECT_EQ(Deliver(Waiting()[0]), Passage::kSent);
}

TEST_F(DeliveryPipelineTest, WaitsForTheLeaseOfWhoeverHoldsTheTry) {
  const v1::WorkRecord work = AWork();
  ASSERT_TRUE(claims.Take({.name = work.try_(),
                           .client_id = {},
                           .owner = "another",
                           .lease = seconds(35),
                           .end = {},
                           .work = {},
                           .not_after = {}}));
  clock.Advance(seconds(5));
  EXPECT_EQ(Deliver(work), Passage::kWaits);
  EXPECT_THAT(carrier.sent, IsEmpty());
  ASSERT_THAT(Waiting(), SizeIs(1));
  EXPECT_EQ(Waiting()[0].due_time_us(), ToUnixMicros(clock.Now() + seconds(30)));
}

TEST_F(DeliveryPipelineTest, LooksIntoWhatAHolderLeftWithoutAWord) {  // R4
  const v1::WorkRecord work = AWork();
  ASSERT_TRUE(claims.Take({.name = work.try_(),
                           .client_id = {},
                           .owner = "killed",
                           .lease = seconds(35),
                           .end = {},
                           .work = {},
                           .not_after = {}}));
  const std::int64_t began_us = ToUnixMicros(clock.Now());
  const v1::Event begin = TryStarted(work, began_us, began_us + 35'000'000, "main", kTestAccount);
  log.Publish({topics.Events(), work.try_().alert_id(), begin.SerializeAsString(), {}},
              [](const PublishReport&) {});
  clock.Advance(seconds(35));
  EXPECT_EQ(Deliver(work), Passage::kInDoubt);
  EXPECT_THAT(carrier.sent, IsEmpty());  // never a blind resend
  EXPECT_THAT(Statuses(), ElementsAre(v1::TRY_STATUS_SENDING, v1::TRY_STATUS_IN_DOUBT));
  ASSERT_THAT(Waiting(), SizeIs(1));
  const v1::WorkRecord look = Waiting()[0];
  EXPECT_EQ(look.kind(), v1::WORK_KIND_SETTLE);
  EXPECT_EQ(look.doubt().post_began_us() + 35'000'000, look.doubt().began_us());
  EXPECT_EQ(look.doubt().account_sid(), kTestAccount);
  EXPECT_THAT(Dead(), IsEmpty());
}

TEST_F(DeliveryPipelineTest, EndsAVerdictOnlyIfTheTryWasNeverBegun) {  // A5, R4
  const v1::WorkRecord work = AWork();
  EXPECT_EQ(Deliver(work), Passage::kSent);
  clock.Advance(std::chrono::hours(25));
  EXPECT_EQ(Deliver(work), Passage::kSent);  // what was begun outranks the horizon
  EXPECT_EQ(Statuses().back(), v1::TRY_STATUS_SENT);
}

TEST_F(DeliveryPipelineTest, TriesAgainLaterWhenTwilioSaysTooMany) {  // R2
  carrier.answer = FakeCarrier::Of(v1::RECEIPT_OUTCOME_RATE_LIMITED);
  carrier.answer.set_retry_after_us(3'000'000);
  EXPECT_EQ(Deliver(AWork()), Passage::kFailed);
  ASSERT_THAT(Waiting(), SizeIs(1));
  const v1::WorkRecord next = Waiting()[0];
  EXPECT_EQ(next.try_().try_(), 2u);
  EXPECT_EQ(next.budget().used(), 1u);  // a wait for a rate uses up no retry
  EXPECT_GE(next.due_time_us(), ToUnixMicros(clock.Now()) + 3'000'000);
  EXPECT_THAT(Dead(), IsEmpty());
}

TEST_F(DeliveryPipelineTest, GivesUpForGoodWhatTwilioRefusesForGood) {  // R2, R3
  carrier.answer = FakeCarrier::Of(v1::RECEIPT_OUTCOME_REFUSED, 21614);
  EXPECT_EQ(Deliver(AWork()), Passage::kFailed);
  EXPECT_THAT(Waiting(), IsEmpty());
  ASSERT_THAT(Dead(), SizeIs(1));
  EXPECT_EQ(Dead()[0].provider_code(), 21614);
  EXPECT_EQ(Dead()[0].position().topic(), "tocsin.sms.normal");
}

TEST_F(DeliveryPipelineTest, RemembersAnOptOutThatTwilioReports) {  // S4
  carrier.answer = FakeCarrier::Of(v1::RECEIPT_OUTCOME_REFUSED, 21610);
  EXPECT_EQ(Deliver(AWork()), Passage::kFailed);
  EXPECT_THAT(log.On<v1::ConsentRecord>(topics.Consents()), SizeIs(1));
  v1::WorkRecord second = AWork();
  second.mutable_try_()->set_step(2);
  EXPECT_EQ(Deliver(second), Passage::kEnded);
  EXPECT_THAT(carrier.sent, SizeIs(1));
}

TEST_F(DeliveryPipelineTest, TakesATurnAtTheSendersRateAndWaitsForItInTheRelay) {  // L1
  v1::WorkRecord work = AWork();
  work.set_segments(1000);  // 12.5 s at 80 a second
  EXPECT_EQ(Deliver(work), Passage::kSent);
  v1::WorkRecord second = AWork();
  second.mutable_try_()->set_step(2);
  EXPECT_EQ(Deliver(second), Passage::kWaits);
  ASSERT_THAT(Waiting(), SizeIs(1));
  clock.Advance(seconds(20));
  EXPECT_EQ(Deliver(Waiting()[0]), Passage::kSent);  // its slot is not asked for twice
}

TEST_F(DeliveryPipelineTest, SendsAnEmergencyPastTheQueueOfItsSender) {  // A4, V7
  v1::WorkRecord bulk = AWork();
  bulk.set_segments(100'000);
  EXPECT_EQ(Deliver(bulk), Passage::kSent);
  v1::WorkRecord emergency = AWork();
  emergency.mutable_try_()->set_step(2);
  emergency.set_class_(v1::ALERT_CLASS_EMERGENCY);
  pacer.SetDown(true);
  EXPECT_EQ(Deliver(emergency), Passage::kSent);
}

TEST_F(DeliveryPipelineTest, KeepsARecordItCannotReadAmongTheDead) {
  IncomingRecord record = RecordOf(AWork());
  record.value = "\xff\xff not a record";
  EXPECT_EQ(pipeline.Deliver(record), Passage::kUnreadable);
  ASSERT_THAT(Dead(), SizeIs(1));
  EXPECT_EQ(Dead()[0].unparsed(), record.value);
}

TEST_F(DeliveryPipelineTest, RejectsContentThatWasMovedFromAnotherAlert) {  // P1
  v1::WorkRecord work = AWork();
  *work.mutable_content() = vault.Seal({"demo", "another alert", "content"}, "x")->sealed;
  EXPECT_EQ(Deliver(work), Passage::kEnded);
  EXPECT_THAT(Statuses(), ElementsAre(v1::TRY_STATUS_REJECTED));
  EXPECT_THAT(carrier.sent, IsEmpty());
}

TEST_F(DeliveryPipelineTest, WaitsForKeysInsteadOfGivingUp) {
  const v1::WorkRecord work = AWork();
  vault.keys_unavailable = true;
  EXPECT_EQ(Deliver(work).error().code, ErrorCode::kKmsUnavailable);
  vault.keys_unavailable = false;
  EXPECT_EQ(Deliver(work), Passage::kSent);
}

TEST_F(DeliveryPipelineTest, CarriesTheTraceOfItsCallerToEveryRecord) {  // O3
  ASSERT_TRUE(Deliver(AWork()));
  for (const OutgoingRecord& record : log.Records()) {
    const auto trace =
        std::find_if(record.headers.begin(), record.headers.end(),
                     [](const auto& header) { return header.first == "traceparent"; });
    EXPECT_NE(trace, record.headers.end()) << record.topic;
  }
}

TEST_F(DeliveryPipelineTest, HandsTheTraceToTheCarrier) {  // O3
  ASSERT_TRUE(Deliver(AWork()));
  EXPECT_THAT(carrier.sent.at(0).traceparent,
              testing::HasSubstr("0af7651916cd43dd8448eb211c80319c"));
}

TEST_F(DeliveryPipelineTest, PutsNeitherNumberNorTextIntoAnyRecord) {  // P3
  carrier.answer = FakeCarrier::Of(v1::RECEIPT_OUTCOME_REFUSED, 21614);
  ASSERT_TRUE(Deliver(AWork()));
  for (const OutgoingRecord& record : log.Records()) {
    EXPECT_EQ(record.value.find("5145550123"), std::string::npos) << record.topic;
    EXPECT_EQ(record.value.find("Boiler"), std::string::npos) << record.topic;
  }
}

}  // namespace
}  // namespace tocsin
