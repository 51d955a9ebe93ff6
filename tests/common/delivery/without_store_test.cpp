// Emergencies while the claim store is down. R6, R1, V7
#include "common/delivery/callback_handler.h"
#include "common/domain/delivery/log_claim.h"
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
    provider.result = FakeProvider::Accepted(kSid);
    EXPECT_FALSE(Deliver(Emergency()));
    clock.Advance(kStoreDownAfter);
  }
  records::v1::WorkRecord Emergency() {
    records::v1::WorkRecord work = AWork();
    work.set_priority(v1::PRIORITY_EMERGENCY);
    return work;
  }
  void Publish(const records::v1::Event& event) {
    log.Publish({topics.Events(), event.attempt().alert_id(), event.SerializeAsString(), {}},
                [](const PublishReport&) {});
  }
  // The start of the attempt by another worker.
  records::v1::Event Start(const records::v1::WorkRecord& work, std::string_view note = {}) {
    const std::int64_t now = ToUnixMicros(clock.Now());
    records::v1::Event event =
        AttemptStarted(work, now, now + Micros(seconds(35)).count(), "main", kTestAccount);
    event.mutable_attempt_changed()->set_note(std::string(note));
    Publish(event);
    return event;
  }
  void StartByLog(const records::v1::WorkRecord& work) { Start(work, kStartedByLog); }
  // Syncs the store with all events so far.
  void HandleEvents() {
    for (const OutgoingRecord& event : log.Records()) {
      if (event.topic != topics.Events()) continue;
      IncomingRecord record;
      record.position.set_topic(event.topic);
      record.value = event.value;
      record.headers = event.headers;
      if (!callback_handler.Wants(record)) continue;
      EXPECT_TRUE(Await(callback_handler.Handle(record)));
    }
  }

  CallbackHandler callback_handler{v1::CHANNEL_SMS, {clock, claims, log, log_history, topics}, {}};
};

TEST_F(WithoutStoreTest, SendsAnEmergencyAndNotesHow) {
  EXPECT_EQ(Deliver(Emergency()), DeliveryResult::kSent);
  EXPECT_THAT(provider.sent, SizeIs(1));
  EXPECT_THAT(Statuses(), ElementsAre(v1::ATTEMPT_STATUS_SENDING, v1::ATTEMPT_STATUS_SENT));
  EXPECT_EQ(Events()[0].attempt_changed().note(), kStartedByLog);
}

TEST_F(WithoutStoreTest, UsesTheLogOnlyAfterTheStoreHasFailedForAWhile) {
  claims.SetDown(false);
  EXPECT_EQ(Deliver(Emergency()), DeliveryResult::kSent);
  claims.SetDown(true);
  records::v1::WorkRecord next = Emergency();
  next.mutable_attempt()->set_attempt(2);
  EXPECT_EQ(Deliver(next).error().code, ErrorCode::kRedisUnavailable);
  clock.Advance(kStoreDownAfter - Micros(1));
  EXPECT_EQ(Deliver(next).error().code, ErrorCode::kRedisUnavailable);
  EXPECT_THAT(provider.sent, SizeIs(1));
}

TEST_F(WithoutStoreTest, BlocksOtherPriorities) {
  for (const v1::Priority priority : {v1::PRIORITY_HIGH, v1::PRIORITY_NORMAL, v1::PRIORITY_BULK}) {
    records::v1::WorkRecord work = AWork();
    work.set_priority(priority);
    EXPECT_EQ(Deliver(work).error().code, ErrorCode::kRedisUnavailable);
  }
  EXPECT_THAT(provider.sent, IsEmpty());
  EXPECT_THAT(Events(), IsEmpty());
}

TEST_F(WithoutStoreTest, ReschedulesEmergenciesThatNeedTheStore) {
  records::v1::WorkRecord work = Emergency();
  work.set_kind(records::v1::WORK_KIND_RESOLVE);
  EXPECT_EQ(Deliver(work), DeliveryResult::kRescheduled);
  work = Emergency();
  work.set_expire_time_us(ToUnixMicros(clock.Now()));
  EXPECT_EQ(Deliver(work), DeliveryResult::kRescheduled);
  EXPECT_THAT(Events(), IsEmpty());
}

TEST_F(WithoutStoreTest, PostsOnceForARepeatedRecord) {  // R4
  const records::v1::WorkRecord work = Emergency();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Deliver(work), DeliveryResult::kSent);
  EXPECT_THAT(provider.sent, SizeIs(1));
}

TEST_F(WithoutStoreTest, LeavesTheAttemptToTheFirstStart) {
  const records::v1::WorkRecord work = Emergency();
  const records::v1::Event other = Start(work);
  clock.Advance(seconds(5));
  EXPECT_EQ(Deliver(work), DeliveryResult::kRescheduled);
  ASSERT_THAT(Waiting(), SizeIs(1));
  EXPECT_EQ(Waiting()[0].due_time_us(), other.attempt_changed().lease_expire_time_us());
  EXPECT_THAT(provider.sent, IsEmpty());
}

TEST_F(WithoutStoreTest, IsInDoubtAfterAStartWithoutAResult) {  // R4
  const records::v1::WorkRecord work = Emergency();
  Start(work);
  clock.Advance(std::chrono::milliseconds(35'100));
  EXPECT_EQ(Deliver(work), DeliveryResult::kInDoubt);
  EXPECT_THAT(provider.sent, IsEmpty());
  ASSERT_THAT(Waiting(), SizeIs(1));
  EXPECT_EQ(Waiting()[0].kind(), records::v1::WORK_KIND_RESOLVE);
}

TEST_F(WithoutStoreTest, DoesNotSendACancelledOrAcknowledgedAlert) {
  for (const bool acknowledged : {false, true}) {
    records::v1::WorkRecord work = Emergency();
    work.mutable_attempt()->set_alert_id(
        NewAlertId(clock.Now(), acknowledged ? "acknowledge" : "cancel id.."));
    records::v1::Event mark;
    mark.mutable_attempt()->set_alert_id(work.attempt().alert_id());
    if (acknowledged)
      mark.mutable_acknowledged()->set_method(v1::ACKNOWLEDGEMENT_METHOD_API);
    else
      mark.mutable_cancel_requested()->set_outcome(v1::CANCEL_OUTCOME_CANCELLED);
    Publish(mark);
    Seal(work);
    EXPECT_EQ(Deliver(work), DeliveryResult::kNotAttempted);
    EXPECT_EQ(Events().back().attempt_changed().status(), v1::ATTEMPT_STATUS_CANCELLED);
    EXPECT_EQ(Events().back().attempt_changed().reason(),
              acknowledged ? "ACKNOWLEDGED" : "CANCELLED");
  }
  EXPECT_THAT(provider.sent, IsEmpty());
}

TEST_F(WithoutStoreTest, DoesNotSendWhileTheLogIsUnavailable) {
  log_history.unavailable = true;
  EXPECT_FALSE(Deliver(Emergency()));
  log_history.unavailable = false;
  log.SetOutcome(PublishOutcome::kUnknown);
  EXPECT_FALSE(Deliver(Emergency()));
  EXPECT_THAT(provider.sent, IsEmpty());
}

// No POST followed that start. R6
TEST_F(WithoutStoreTest, IgnoresItsOwnAbortedStart) {
  const records::v1::WorkRecord work = Emergency();
  log_history.unavailable = true;
  EXPECT_FALSE(Deliver(work));
  log_history.unavailable = false;
  clock.Advance(seconds(1));
  EXPECT_EQ(Deliver(work), DeliveryResult::kSent);
  EXPECT_THAT(provider.sent, SizeIs(1));
}

TEST_F(WithoutStoreTest, RequestsADownStoreOncePerSecond) {  // R6
  records::v1::WorkRecord work = Emergency();
  claims.requests = 0;
  for (std::int32_t i = 1; i <= 10; ++i) {
    work.mutable_attempt()->set_attempt(i);
    provider.result = FakeProvider::Accepted("SM" + std::to_string(i));
    EXPECT_EQ(Deliver(work), DeliveryResult::kSent);
  }
  EXPECT_EQ(claims.requests, 1);
}

TEST_F(WithoutStoreTest, SendsOnceForARequestRepeatedMinutesLater) {  // A1
  records::v1::WorkRecord work = Emergency();
  work.set_first_publish_time_us(ToUnixMicros(clock.Now()));
  ASSERT_EQ(Deliver(work), DeliveryResult::kSent);
  clock.Advance(std::chrono::minutes(10));
  work.set_first_publish_time_us(ToUnixMicros(clock.Now()));
  EXPECT_EQ(Deliver(work), DeliveryResult::kSent);
  EXPECT_THAT(provider.sent, SizeIs(1));
}

TEST_F(WithoutStoreTest, ProceedsWithoutTheLogWhenTheStoreIsTrusted) {
  claims.SetDown(false);
  records::v1::WorkRecord work = Emergency();
  ASSERT_EQ(Deliver(work), DeliveryResult::kSent);
  PassWatching(kStoreTrustedAfter);
  work.mutable_attempt()->set_attempt(2);
  provider.result = FakeProvider::Accepted("SM0000000000000000000000000000000b");
  log_history.unavailable = true;
  IncomingRecord record = RecordOf(work);
  record.predates_assignment = true;
  EXPECT_EQ(Await(pipeline.Deliver(record)), DeliveryResult::kSent);
}

TEST_F(WithoutStoreTest, IsInDoubtSinceTheFirstStart) {  // R4
  const records::v1::WorkRecord work = Emergency();
  const std::int64_t begin = ToUnixMicros(clock.Now());
  StartByLog(work);
  clock.Advance(seconds(20));
  claims.SetDown(false);
  EXPECT_EQ(Deliver(work), DeliveryResult::kRescheduled);  // the store granted it to this worker
  clock.Advance(seconds(36));
  EXPECT_EQ(Deliver(work), DeliveryResult::kInDoubt);
  const std::string lane = topics.Lane(v1::CHANNEL_SMS, v1::PRIORITY_EMERGENCY);
  const auto lookups = log.On<records::v1::WorkRecord>(lane);  // the first lookup is due already
  ASSERT_THAT(lookups, SizeIs(1));
  EXPECT_EQ(lookups[0].in_doubt().post_time_us(), begin);
}

TEST_F(WithoutStoreTest, RetriesAfterACallbackWithAFailure) {  // V3, R6
  const records::v1::WorkRecord work = Emergency();
  ASSERT_EQ(Deliver(work), DeliveryResult::kSent);
  records::v1::WebhookRecord callback;
  callback.set_kind(records::v1::WEBHOOK_KIND_SMS_STATUS);
  callback.set_webhook_id("undelivered");
  callback.set_provider_sid(kSid);
  callback.set_status(v1::ATTEMPT_STATUS_UNDELIVERED);
  callback.set_error_class(records::v1::PROVIDER_ERROR_CLASS_TRANSIENT_DELIVERY);
  callback.set_receive_time_us(ToUnixMicros(clock.Now()));
  callback.set_token_time_us(ToUnixMicros(clock.Now()));
  *callback.mutable_attempt() = work.attempt();
  *callback.mutable_work() = RecordOf(work).position;
  log_history.older.push_back(RecordOf(work));
  IncomingRecord record;
  record.position.set_topic(topics.Webhooks());
  record.value = callback.SerializeAsString();
  const size_t before = Waiting().size();
  for (int i = 0; i < 3; ++i)
    EXPECT_FALSE(Await(callback_handler.Handle(record)));  // repeated until the store responds
  ASSERT_THAT(Waiting(), SizeIs(before + 1));
  EXPECT_EQ(Waiting().back().attempt().attempt(), 2);
}

TEST_F(WithoutStoreTest, SyncsMarksAndClientsToTheStore) {  // V4
  records::v1::Event acknowledged;
  acknowledged.mutable_attempt()->set_alert_id(AWork().attempt().alert_id());
  acknowledged.mutable_acknowledged()->set_method(v1::ACKNOWLEDGEMENT_METHOD_KEYPRESS);
  Publish(acknowledged);
  claims.SetDown(false);
  HandleEvents();
  EXPECT_EQ(Deliver(AWork()), DeliveryResult::kNotAttempted);
  EXPECT_EQ(Events().back().attempt_changed().reason(), "ACKNOWLEDGED");
}

TEST_F(WithoutStoreTest, SyncsResultsToTheStore) {  // R1, R4
  const records::v1::WorkRecord work = Emergency();
  ASSERT_EQ(Deliver(work), DeliveryResult::kSent);
  claims.SetDown(false);
  HandleEvents();
  EXPECT_EQ(Deliver(work), DeliveryResult::kSent);
  EXPECT_THAT(provider.sent, SizeIs(1));
  records::v1::AttemptResult again = FakeProvider::Accepted(kSid);
  v1::AttemptRef other = work.attempt();
  other.set_attempt(2);
  EXPECT_FALSE(
      Await(claims.SaveResult(other, kNoFence, again)));  // the SID belongs to the first attempt
}

TEST_F(WithoutStoreTest, SyncsStartsWithoutResultsToTheStore) {  // R4
  const records::v1::WorkRecord work = Emergency();
  StartByLog(work);
  claims.SetDown(false);
  HandleEvents();
  EXPECT_EQ(Deliver(work), DeliveryResult::kRescheduled);
  clock.Advance(std::chrono::milliseconds(35'100));
  EXPECT_EQ(Deliver(work), DeliveryResult::kInDoubt);
  EXPECT_THAT(provider.sent, IsEmpty());
}

TEST_F(WithoutStoreTest, ReadsTheLogUntilTheStoreIsTrusted) {  // R4
  const records::v1::WorkRecord work = Emergency();
  StartByLog(work);
  claims.SetDown(false);  // and not synced
  EXPECT_EQ(Deliver(work), DeliveryResult::kRescheduled);
  clock.Advance(std::chrono::milliseconds(35'100));
  EXPECT_EQ(Deliver(work), DeliveryResult::kInDoubt);
  EXPECT_THAT(provider.sent, IsEmpty());
}

TEST_F(WithoutStoreTest, ReadsTheLogForRecordsOfAnotherWorker) {  // R4
  claims.SetDown(false);
  records::v1::WorkRecord work = Emergency();
  ASSERT_EQ(Deliver(work), DeliveryResult::kSent);
  PassWatching(kStoreTrustedAfter);
  work.mutable_attempt()->set_attempt(2);
  StartByLog(work);
  IncomingRecord record = RecordOf(work);
  record.predates_assignment = true;
  EXPECT_EQ(Await(pipeline.Deliver(record)), DeliveryResult::kRescheduled);
  EXPECT_THAT(provider.sent, SizeIs(1));
}

TEST_F(WithoutStoreTest, DoesNotReadTheLogWhileTheStoreIsTrusted) {
  claims.SetDown(false);
  records::v1::WorkRecord work = Emergency();
  ASSERT_EQ(Deliver(work), DeliveryResult::kSent);
  PassWatching(kStoreTrustedAfter);
  log_history.unavailable = true;
  work.mutable_attempt()->set_attempt(2);
  EXPECT_EQ(Deliver(work), DeliveryResult::kSent);
}

// An idle worker did not notice that the store was down, and another one sent without it.
TEST_F(WithoutStoreTest, ReadsTheLogAfterSilence) {  // R1, R4
  claims.SetDown(false);
  PassWatching(kStoreTrustedAfter);
  clock.Advance(seconds(10));  // frozen
  const records::v1::WorkRecord work = Emergency();
  StartByLog(work);
  EXPECT_EQ(Deliver(work), DeliveryResult::kRescheduled);
  EXPECT_THAT(provider.sent, IsEmpty());
}

TEST_F(WithoutStoreTest, UsesTheLogWhileTheStoreIsBeingRestored) {  // R1
  claims.SetDown(false);
  claims.complete_since = WallTime::max();
  const records::v1::WorkRecord work = Emergency();
  Start(work);  // granted by the store before it lost its data
  EXPECT_EQ(Deliver(work), DeliveryResult::kRescheduled);
  records::v1::WorkRecord other = work;
  other.mutable_attempt()->set_attempt(2);
  EXPECT_EQ(Deliver(other), DeliveryResult::kSent);
  other.set_expire_time_us(ToUnixMicros(clock.Now()));
  EXPECT_EQ(Deliver(other), DeliveryResult::kRescheduled);  // an end without a POST needs the store
  EXPECT_THAT(provider.sent, SizeIs(1));
}

TEST_F(WithoutStoreTest, PublishesTheResultBeforeItsFollowUp) {  // R1
  const records::v1::WorkRecord work = Emergency();
  provider.result = FakeProvider::Of(records::v1::ATTEMPT_OUTCOME_RATE_LIMITED);
  provider.result.set_reason("RATE_LIMIT_EXCEEDED");
  EXPECT_EQ(Deliver(work), DeliveryResult::kFailed);
  std::vector<std::string> order;
  for (const OutgoingRecord& record : log.Records()) order.push_back(record.topic);
  ASSERT_GE(order.size(), 3u);
  EXPECT_EQ(order[1], topics.Events());
  EXPECT_TRUE(topics.TierOf(order[2]));
  const records::v1::Event event = Events()[1];
  const records::v1::WorkRecord next = Waiting().back();
  EXPECT_EQ(Deliver(work), DeliveryResult::kFailed);  // identical bytes
  EXPECT_EQ(Waiting().back().SerializeAsString(), next.SerializeAsString());
  EXPECT_EQ(Events().back().SerializeAsString(), event.SerializeAsString());
  EXPECT_THAT(provider.sent, SizeIs(1));
}

TEST_F(WithoutStoreTest, DoesNotSyncAStartThatTheStoreGranted) {
  const records::v1::WorkRecord work = Emergency();
  Start(work);
  claims.SetDown(false);
  HandleEvents();
  EXPECT_EQ(Deliver(work), DeliveryResult::kSent);  // the claim had been released
}

// The claims may have been restored before the result was in the log.
TEST_F(WithoutStoreTest, SyncsAResultThatCouldNotBeStored) {  // R4
  claims.SetDown(false);
  const records::v1::WorkRecord work = AWork();  // not an emergency
  provider.during_post = [&] { claims.SetDown(true); };
  ASSERT_EQ(Deliver(work), DeliveryResult::kSent);
  claims.SetDown(false);
  HandleEvents();
  provider.during_post = {};
  EXPECT_EQ(Deliver(work), DeliveryResult::kSent);
  EXPECT_THAT(provider.sent, SizeIs(1));
}

TEST_F(WithoutStoreTest, IgnoresTheEventOfAResultThatWasStored) {
  claims.SetDown(false);
  ASSERT_EQ(Deliver(AWork()), DeliveryResult::kSent);
  for (const OutgoingRecord& event : log.Records()) {
    IncomingRecord record;
    record.position.set_topic(topics.Events());
    record.value = event.value;
    record.headers = event.headers;
    EXPECT_FALSE(callback_handler.Wants(record));
  }
}

}  // namespace
}  // namespace tocsin
