// Emergencies while the claim store is away: R6, R1, V7.
#include "common/delivery/callback_desk.h"
#include "common/domain/log_claim.h"
#include "tests/common/delivery/delivery_fixture.h"

namespace tocsin {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* kSid = "SM0000000000000000000000000000000a";

class WithoutStoreTest : public DeliveryFixture {
 protected:
  WithoutStoreTest() {
    claims.SetDown(true);
    carrier.answer = FakeCarrier::Accepted(kSid);
    EXPECT_FALSE(Deliver(Emergency()));
    clock.Advance(kStoreAway);
  }
  v1::WorkRecord Emergency() {
    v1::WorkRecord work = AWork();
    work.set_class_(v1::ALERT_CLASS_EMERGENCY);
    return work;
  }
  void Publish(const v1::Event& event) {
    log.Publish({topics.Events(), event.try_().alert_id(), event.SerializeAsString(), {}},
                [](const PublishReport&) {});
  }
  // As another worker says it.
  v1::Event Begin(const v1::WorkRecord& work, std::string_view remark = {}) {
    const std::int64_t now = ToUnixMicros(clock.Now());
    v1::Event event =
        TryStarted(work, now, now + Micros(seconds(35)).count(), "main", kTestAccount);
    event.mutable_try_changed()->set_remark(std::string(remark));
    Publish(event);
    return event;
  }
  void BeginByLog(const v1::WorkRecord& work) { Begin(work, kBegunByLog); }
  // What the facts tell the store, in their order.
  void FollowEvents() {
    for (const v1::Event& event : Events()) {
      IncomingRecord record;
      record.position.set_topic(topics.Events());
      record.value = event.SerializeAsString();
      if (!desk.Wants(record)) continue;
      EXPECT_TRUE(desk.Take(record));
    }
  }

  CallbackDesk desk{v1::CHANNEL_SMS, {clock, claims, log, log_history, topics}, {}};
};

TEST_F(WithoutStoreTest, SendsAnEmergencyAndSaysHow) {
  EXPECT_EQ(Deliver(Emergency()), Passage::kSent);
  EXPECT_THAT(carrier.sent, SizeIs(1));
  EXPECT_THAT(Statuses(), ElementsAre(v1::TRY_STATUS_SENDING, v1::TRY_STATUS_SENT));
  EXPECT_EQ(Events()[0].try_changed().remark(), kBegunByLog);
}

TEST_F(WithoutStoreTest, AsksTheStoreForAWhileBeforeItGoesByTheLog) {
  claims.SetDown(false);
  EXPECT_EQ(Deliver(Emergency()), Passage::kSent);
  claims.SetDown(true);
  v1::WorkRecord next = Emergency();
  next.mutable_try_()->set_try_(2);
  EXPECT_EQ(Deliver(next).error().code, ErrorCode::kRedisUnavailable);
  clock.Advance(kStoreAway - Micros(1));
  EXPECT_EQ(Deliver(next).error().code, ErrorCode::kRedisUnavailable);
  EXPECT_THAT(carrier.sent, SizeIs(1));
}

TEST_F(WithoutStoreTest, LetsEveryOtherClassWait) {
  for (const v1::AlertClass alert_class :
       {v1::ALERT_CLASS_HIGH, v1::ALERT_CLASS_NORMAL, v1::ALERT_CLASS_BULK}) {
    v1::WorkRecord work = AWork();
    work.set_class_(alert_class);
    EXPECT_EQ(Deliver(work).error().code, ErrorCode::kRedisUnavailable);
  }
  EXPECT_THAT(carrier.sent, IsEmpty());
  EXPECT_THAT(Events(), IsEmpty());
}

TEST_F(WithoutStoreTest, KeepsNoSenderForWhatCannotGoWithoutTheStore) {
  v1::WorkRecord work = Emergency();
  work.set_kind(v1::WORK_KIND_SETTLE);
  EXPECT_EQ(Deliver(work), Passage::kWaits);
  work = Emergency();
  work.set_not_after_us(ToUnixMicros(clock.Now()));
  EXPECT_EQ(Deliver(work), Passage::kWaits);
  EXPECT_THAT(Events(), IsEmpty());
}

TEST_F(WithoutStoreTest, SendsOnceHoweverOftenTheRecordComes) {  // R4
  const v1::WorkRecord work = Emergency();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Deliver(work), Passage::kSent);
  EXPECT_THAT(carrier.sent, SizeIs(1));
}

TEST_F(WithoutStoreTest, LeavesATryToWhoeverBeganItFirst) {
  const v1::WorkRecord work = Emergency();
  const v1::Event other = Begin(work);
  clock.Advance(seconds(5));
  EXPECT_EQ(Deliver(work), Passage::kWaits);
  ASSERT_THAT(Waiting(), SizeIs(1));
  EXPECT_EQ(Waiting()[0].due_time_us(), other.try_changed().lease_until_us());
  EXPECT_THAT(carrier.sent, IsEmpty());
}

TEST_F(WithoutStoreTest, DoubtsWhatWasBegunAndNeverTold) {  // R4
  const v1::WorkRecord work = Emergency();
  Begin(work);
  clock.Advance(std::chrono::milliseconds(35'100));
  EXPECT_EQ(Deliver(work), Passage::kInDoubt);
  EXPECT_THAT(carrier.sent, IsEmpty());
  ASSERT_THAT(Waiting(), SizeIs(1));
  EXPECT_EQ(Waiting()[0].kind(), v1::WORK_KIND_SETTLE);
}

TEST_F(WithoutStoreTest, SendsNothingThatWasCancelledOrAcknowledged) {
  for (const bool acknowledged : {false, true}) {
    v1::WorkRecord work = Emergency();
    work.mutable_try_()->set_alert_id(
        NewAlertId(clock.Now(), acknowledged ? "acknowledge" : "cancel id.."));
    v1::Event mark;
    mark.mutable_try_()->set_alert_id(work.try_().alert_id());
    if (acknowledged)
      mark.mutable_acknowledged()->set_by("api");
    else
      mark.mutable_cancel_requested()->set_outcome("CANCELLED");
    Publish(mark);
    const auto sealed =
        vault.Open({"demo", AWork().try_().alert_id(), "content"}, {}, work.content());
    work.clear_key();
    *work.mutable_content() =
        vault.Seal({"demo", work.try_().alert_id(), "content"}, sealed->Reveal())->sealed;
    EXPECT_EQ(Deliver(work), Passage::kEnded);
    EXPECT_EQ(Events().back().try_changed().status(), v1::TRY_STATUS_CANCELLED);
    EXPECT_EQ(Events().back().try_changed().reason(), acknowledged ? "ACKNOWLEDGED" : "CANCELLED");
  }
  EXPECT_THAT(carrier.sent, IsEmpty());
}

TEST_F(WithoutStoreTest, SendsNothingWhenTheLogCannotBeRead) {
  log_history.unreadable = true;
  EXPECT_FALSE(Deliver(Emergency()));
  log_history.unreadable = false;
  log.EndWith(PublishOutcome::kUnknown);
  EXPECT_FALSE(Deliver(Emergency()));
  EXPECT_THAT(carrier.sent, IsEmpty());
}

// R6: its own begin, of which it knows that no POST followed, stands in nobody's way.
TEST_F(WithoutStoreTest, ABeginThatWasGivenBackDoesNotHoldUpItsOwnTry) {
  const v1::WorkRecord work = Emergency();
  log_history.unreadable = true;
  EXPECT_FALSE(Deliver(work));
  log_history.unreadable = false;
  clock.Advance(seconds(1));
  EXPECT_EQ(Deliver(work), Passage::kSent);
  EXPECT_THAT(carrier.sent, SizeIs(1));
}

TEST_F(WithoutStoreTest, AsksASilentStoreOnceASecond) {  // R6
  v1::WorkRecord work = Emergency();
  claims.calls = 0;
  for (std::uint32_t i = 1; i <= 10; ++i) {
    work.mutable_try_()->set_try_(i);
    carrier.answer = FakeCarrier::Accepted("SM" + std::to_string(i));
    EXPECT_EQ(Deliver(work), Passage::kSent);
  }
  EXPECT_EQ(claims.calls, 1);
}

TEST_F(WithoutStoreTest, ARepeatedCallOfMinutesLaterIsTheSameTry) {  // A1
  v1::WorkRecord work = Emergency();
  work.set_first_published_us(ToUnixMicros(clock.Now()));
  ASSERT_EQ(Deliver(work), Passage::kSent);
  clock.Advance(std::chrono::minutes(10));
  work.set_first_published_us(ToUnixMicros(clock.Now()));
  EXPECT_EQ(Deliver(work), Passage::kSent);
  EXPECT_THAT(carrier.sent, SizeIs(1));
}

TEST_F(WithoutStoreTest, GoesOnWithoutAReadingWhenTheStoreIsTrusted) {
  claims.SetDown(false);
  v1::WorkRecord work = Emergency();
  ASSERT_EQ(Deliver(work), Passage::kSent);
  clock.Advance(kStoreTrusted);
  work.mutable_try_()->set_try_(2);
  carrier.answer = FakeCarrier::Accepted("SM0000000000000000000000000000000b");
  log_history.unreadable = true;
  IncomingRecord record = RecordOf(work);
  record.inherited = true;
  EXPECT_EQ(pipeline.Deliver(record), Passage::kSent);
}

TEST_F(WithoutStoreTest, TheDoubtOfATryReachesBackToWhoBeganFirst) {  // R4
  const v1::WorkRecord work = Emergency();
  const std::int64_t began = ToUnixMicros(clock.Now());
  BeginByLog(work);
  clock.Advance(seconds(20));
  claims.SetDown(false);
  EXPECT_EQ(Deliver(work), Passage::kWaits);  // the store granted it to us
  clock.Advance(seconds(36));
  EXPECT_EQ(Deliver(work), Passage::kInDoubt);
  const std::string lane = topics.Lane(v1::CHANNEL_SMS, v1::ALERT_CLASS_EMERGENCY);
  const auto looks = log.On<v1::WorkRecord>(lane);  // the time of the first look is over already
  ASSERT_THAT(looks, SizeIs(1));
  EXPECT_EQ(looks[0].doubt().post_began_us(), began);
}

TEST_F(WithoutStoreTest, AFailureThatACallbackTellsIsFollowedByANextTry) {  // V3, R6
  const v1::WorkRecord work = Emergency();
  ASSERT_EQ(Deliver(work), Passage::kSent);
  v1::WebhookRecord callback;
  callback.set_kind(v1::WEBHOOK_KIND_SMS_STATUS);
  callback.set_webhook_id("undelivered");
  callback.set_provider_sid(kSid);
  callback.set_provider_status("undelivered");
  callback.set_provider_code(30003);
  callback.set_received_time_us(ToUnixMicros(clock.Now()));
  callback.set_token_time_us(ToUnixMicros(clock.Now()));
  *callback.mutable_try_() = work.try_();
  *callback.mutable_work() = RecordOf(work).position;
  log_history.older.records.push_back(RecordOf(work));
  IncomingRecord record;
  record.position.set_topic(topics.Webhooks());
  record.value = callback.SerializeAsString();
  const size_t before = Waiting().size();
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(desk.Take(record));  // it is held for the store
  ASSERT_THAT(Waiting(), SizeIs(before + 1));
  EXPECT_EQ(Waiting().back().try_().try_(), 2u);
}

TEST_F(WithoutStoreTest, TellsTheStoreOfMarksAndWhoseAlertItIs) {  // V4
  v1::Event pressed;
  pressed.mutable_try_()->set_alert_id(AWork().try_().alert_id());
  pressed.mutable_acknowledged()->set_by("key");
  Publish(pressed);
  claims.SetDown(false);
  FollowEvents();
  EXPECT_EQ(Deliver(AWork()), Passage::kEnded);
  EXPECT_EQ(Events().back().try_changed().reason(), "ACKNOWLEDGED");
}

TEST_F(WithoutStoreTest, TellsTheStoreWhatWasSentWithoutIt) {  // R1, R4
  const v1::WorkRecord work = Emergency();
  ASSERT_EQ(Deliver(work), Passage::kSent);
  claims.SetDown(false);
  FollowEvents();
  EXPECT_EQ(Deliver(work), Passage::kSent);
  EXPECT_THAT(carrier.sent, SizeIs(1));
  v1::Receipt again = FakeCarrier::Accepted(kSid);
  v1::TryName other = work.try_();
  other.set_try_(2);
  EXPECT_FALSE(claims.Keep(other, 0, again));  // the SID belongs to the try
}

TEST_F(WithoutStoreTest, TellsTheStoreWhatWasBegunWithoutItAndNeverTold) {  // R4
  const v1::WorkRecord work = Emergency();
  BeginByLog(work);
  claims.SetDown(false);
  FollowEvents();
  EXPECT_EQ(Deliver(work), Passage::kWaits);
  clock.Advance(std::chrono::milliseconds(35'100));
  EXPECT_EQ(Deliver(work), Passage::kInDoubt);
  EXPECT_THAT(carrier.sent, IsEmpty());
}

TEST_F(WithoutStoreTest, AsksTheLogUntilTheStoreAnsweredForAWhile) {  // R4
  const v1::WorkRecord work = Emergency();
  BeginByLog(work);
  claims.SetDown(false);  // and nobody has told it
  EXPECT_EQ(Deliver(work), Passage::kWaits);
  clock.Advance(std::chrono::milliseconds(35'100));
  EXPECT_EQ(Deliver(work), Passage::kInDoubt);
  EXPECT_THAT(carrier.sent, IsEmpty());
}

TEST_F(WithoutStoreTest, AsksTheLogForWhatAnotherWorkerMayHaveBegun) {  // R4
  claims.SetDown(false);
  v1::WorkRecord work = Emergency();
  ASSERT_EQ(Deliver(work), Passage::kSent);
  clock.Advance(kStoreTrusted);
  work.mutable_try_()->set_try_(2);
  BeginByLog(work);
  IncomingRecord record = RecordOf(work);
  record.inherited = true;
  EXPECT_EQ(pipeline.Deliver(record), Passage::kWaits);
  EXPECT_THAT(carrier.sent, SizeIs(1));
}

TEST_F(WithoutStoreTest, ReadsNoLogWhileTheStoreIsTrusted) {
  claims.SetDown(false);
  v1::WorkRecord work = Emergency();
  ASSERT_EQ(Deliver(work), Passage::kSent);
  clock.Advance(kStoreTrusted);
  log_history.unreadable = true;
  work.mutable_try_()->set_try_(2);
  EXPECT_EQ(Deliver(work), Passage::kSent);
}

TEST_F(WithoutStoreTest, GoesByTheLogWhileTheStoreRestoresItsMemory) {  // R1
  claims.SetDown(false);
  claims.known_since = WallTime::max();
  const v1::WorkRecord work = Emergency();
  Begin(work);  // the store granted it, and has forgotten that
  EXPECT_EQ(Deliver(work), Passage::kWaits);
  v1::WorkRecord other = work;
  other.mutable_try_()->set_try_(2);
  EXPECT_EQ(Deliver(other), Passage::kSent);
  other.set_not_after_us(ToUnixMicros(clock.Now()));
  EXPECT_EQ(Deliver(other), Passage::kWaits);  // an end goes by the store
  EXPECT_THAT(carrier.sent, SizeIs(1));
}

TEST_F(WithoutStoreTest, KeepsTheOutcomeInTheLogBeforeWhatFollowsFromIt) {  // R1
  const v1::WorkRecord work = Emergency();
  carrier.answer = FakeCarrier::Of(v1::RECEIPT_OUTCOME_RATE_LIMITED, 20429);
  EXPECT_EQ(Deliver(work), Passage::kFailed);
  std::vector<std::string> order;
  for (const OutgoingRecord& record : log.Records()) order.push_back(record.topic);
  ASSERT_GE(order.size(), 3u);
  EXPECT_EQ(order[1], topics.Events());
  EXPECT_TRUE(topics.TierOf(order[2]));
  const v1::Event told = Events()[1];
  const v1::WorkRecord next = Waiting().back();
  EXPECT_EQ(Deliver(work), Passage::kFailed);  // the same again, to the byte
  EXPECT_EQ(Waiting().back().SerializeAsString(), next.SerializeAsString());
  EXPECT_EQ(Events().back().SerializeAsString(), told.SerializeAsString());
  EXPECT_THAT(carrier.sent, SizeIs(1));
}

TEST_F(WithoutStoreTest, TellsTheStoreNothingOfABeginThatTheStoreGranted) {
  const v1::WorkRecord work = Emergency();
  Begin(work);
  claims.SetDown(false);
  FollowEvents();
  EXPECT_EQ(Deliver(work), Passage::kSent);  // it had been given back
}

}  // namespace
}  // namespace tocsin
