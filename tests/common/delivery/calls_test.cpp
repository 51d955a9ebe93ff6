// Calls: retries of calls that reached nobody, and resolution of calls in doubt. V3, R4
#include "common/delivery/callback_handler.h"
#include "common/domain/delivery/known_attempt.h"
#include "tests/common/delivery/delivery_fixture.h"

namespace tocsin {
namespace {

using std::chrono::minutes;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class CallsTest : public DeliveryFixture {
 protected:
  CallsTest() { EnableCalls(); }
  records::v1::WorkRecord ACall() {
    records::v1::WorkRecord work = AWork();
    work.set_channel(v1::CHANNEL_VOICE);
    work.mutable_retry_budget()->set_calls_placed(1);
    return work;
  }
  static std::string SidOf(const records::v1::WorkRecord& work) {
    return "CA" + AttemptText(work.attempt());
  }
  Result<DeliveryResult> Place(const records::v1::WorkRecord& work) {
    provider.result = FakeProvider::Accepted(SidOf(work));
    const IncomingRecord record = RecordOf(work);
    return Await(calls.Deliver(record));
  }
  // A status callback of the call placed for `work`.
  Result<DeliveryResult> CallBack(const records::v1::WorkRecord& work, v1::AttemptStatus status,
                                  v1::AnsweredBy answered_by = v1::ANSWERED_BY_UNSPECIFIED) {
    records::v1::WebhookRecord callback;
    callback.set_kind(records::v1::WEBHOOK_KIND_VOICE_STATUS);
    callback.set_receive_time_us(ToUnixMicros(clock.Now()));
    *callback.mutable_attempt() = work.attempt();
    callback.mutable_work()->set_topic(topics.Lane(v1::CHANNEL_VOICE, v1::PRIORITY_NORMAL));
    callback.set_token_time_us(ToUnixMicros(clock.Now()));
    callback.set_provider_sid(SidOf(work));
    callback.set_status(status);
    if (status == v1::ATTEMPT_STATUS_FAILED)
      callback.set_error_class(records::v1::PROVIDER_ERROR_CLASS_UNKNOWN);
    callback.set_answered_by(answered_by);
    IncomingRecord record;
    record.key = work.attempt().alert_id();
    record.value = callback.SerializeAsString();
    return Await(callback_handler.Handle(record));
  }
  // Places the call, which ends with `status`. Returns the next call at its due time.
  records::v1::WorkRecord PlaceAndRetry(const records::v1::WorkRecord& work,
                                        v1::AttemptStatus status,
                                        v1::AnsweredBy answered_by = v1::ANSWERED_BY_UNSPECIFIED) {
    EXPECT_EQ(Place(work), DeliveryResult::kSent);
    EXPECT_EQ(CallBack(work, status, answered_by), DeliveryResult::kCallbackHandled);
    const records::v1::WorkRecord next = Waiting().back();
    clock.Set(FromUnixMicros(next.due_time_us()));
    return next;
  }
  // A call in doubt. Returns its first lookup.
  records::v1::WorkRecord MakeInDoubt(const records::v1::WorkRecord& work) {
    provider.result = FakeProvider::Of(records::v1::ATTEMPT_OUTCOME_IN_DOUBT);
    EXPECT_EQ(Await(calls.Deliver(RecordOf(work))), DeliveryResult::kInDoubt);
    return Waiting().back();
  }
  // Another alert with another text to the same recipient.
  records::v1::WorkRecord Another() {
    records::v1::WorkRecord work = ACall();
    work.mutable_attempt()->set_alert_id(NewAlertId(clock.Now(), "another id"));
    work.set_body_digest("another text");
    Seal(work, "another text");
    return work;
  }
  std::vector<records::v1::DeadLetterRecord> DeadLetters() const {
    return log.On<records::v1::DeadLetterRecord>(topics.Dead(v1::CHANNEL_VOICE));
  }
  records::v1::AttemptChanged Last() const { return Events().back().attempt_changed(); }

  DeliveryPipeline calls{v1::CHANNEL_VOICE,
                         {clock, registry, consents, claims, pacer, vault, limiter, provider, list,
                          log, log_history, topics, probe},
                         {.owner = "test", .retry = {}}};
  CallbackHandler callback_handler{
      v1::CHANNEL_VOICE, {clock, claims, log, log_history, topics}, {}};
};

TEST_F(CallsTest, UsesTheRetryDelayOfEachOutcome) {
  records::v1::WorkRecord work = ACall();
  std::vector<std::int64_t> delays;
  for (const auto& [status, answered_by] :
       {std::pair(v1::ATTEMPT_STATUS_BUSY, v1::ANSWERED_BY_UNSPECIFIED),
        std::pair(v1::ATTEMPT_STATUS_NO_ANSWER, v1::ANSWERED_BY_UNSPECIFIED),
        std::pair(v1::ATTEMPT_STATUS_FAILED, v1::ANSWERED_BY_UNSPECIFIED),
        std::pair(v1::ATTEMPT_STATUS_DELIVERED, v1::ANSWERED_BY_MACHINE)}) {
    const WallTime ended = clock.Now();
    work = PlaceAndRetry(work, status, answered_by);
    delays.push_back((work.due_time_us() - ToUnixMicros(ended)) / 60'000'000);
  }
  EXPECT_THAT(delays, ElementsAre(2, 5, 5, 10));
  EXPECT_EQ(work.attempt().attempt(), 5);
  EXPECT_EQ(work.retry_budget().calls_placed(), 5);
}

TEST_F(CallsTest, DeadLettersAfterTheLastCall) {
  records::v1::WorkRecord work = ACall();
  for (int i = 1; i < 6; ++i) work = PlaceAndRetry(work, v1::ATTEMPT_STATUS_BUSY);
  const size_t waiting = Waiting().size();
  PlaceAndRetry(work, v1::ATTEMPT_STATUS_BUSY);
  EXPECT_THAT(Waiting(), SizeIs(waiting));
  EXPECT_THAT(provider.sent, SizeIs(6));
  EXPECT_TRUE(Last().last());
  EXPECT_EQ(Last().reason(), "RETRIES_EXHAUSTED");
  EXPECT_THAT(DeadLetters(), SizeIs(1));
}

TEST_F(CallsTest, PlacesNoCallAfterTheExpireTime) {  // A5
  records::v1::WorkRecord work = ACall();
  work.set_expire_time_us(ToUnixMicros(clock.Now() + minutes(3)));
  work = PlaceAndRetry(work, v1::ATTEMPT_STATUS_BUSY);
  clock.Set(FromUnixMicros(work.expire_time_us()));
  EXPECT_EQ(Place(work), DeliveryResult::kNotAttempted);
  EXPECT_EQ(Last().status(), v1::ATTEMPT_STATUS_EXPIRED);
  EXPECT_THAT(provider.sent, SizeIs(1));

  records::v1::WorkRecord brief = ACall();
  brief.set_expire_time_us(ToUnixMicros(clock.Now() + minutes(1)));
  EXPECT_EQ(Place(brief), DeliveryResult::kSent);
  EXPECT_EQ(CallBack(brief, v1::ATTEMPT_STATUS_BUSY), DeliveryResult::kCallbackHandled);
  EXPECT_EQ(Last().reason(), "EXPIRED");
}

TEST_F(CallsTest, DoesNotCallAgainAfterAnAcknowledgementOrACancel) {  // V3, V4
  for (const char* mark : {"ACKNOWLEDGED", "CANCELLED"}) {
    const records::v1::WorkRecord work = ACall();
    const records::v1::WorkRecord next = PlaceAndRetry(work, v1::ATTEMPT_STATUS_NO_ANSWER);
    const size_t placed = provider.sent.size();
    claims.Mark(work.attempt().alert_id(), mark);  // after the next call was scheduled
    EXPECT_EQ(Place(next), DeliveryResult::kNotAttempted);
    EXPECT_EQ(Last().status(), v1::ATTEMPT_STATUS_CANCELLED);
    EXPECT_EQ(Last().reason(), mark);
    EXPECT_THAT(provider.sent, SizeIs(placed));
  }
}

TEST_F(CallsTest, DoesNotCallAgainAfterAnOptOut) {  // S4
  const records::v1::WorkRecord next =
      PlaceAndRetry(ACall(), v1::ATTEMPT_STATUS_DELIVERED, v1::ANSWERED_BY_MACHINE);
  records::v1::ConsentRecord consent;
  *consent.mutable_recipient() = next.recipient();
  consent.set_state(records::v1::CONSENT_STATE_OPTED_OUT);
  consent.set_observe_time_us(ToUnixMicros(clock.Now()));
  consents.Apply(consent);
  EXPECT_EQ(Place(next), DeliveryResult::kNotAttempted);
  EXPECT_EQ(Last().status(), v1::ATTEMPT_STATUS_SUPPRESSED);
  EXPECT_THAT(provider.sent, SizeIs(1));
}

TEST_F(CallsTest, PlacesOneCallForARepeatedCallback) {  // W5
  const records::v1::WorkRecord work = ACall();
  ASSERT_EQ(Place(work), DeliveryResult::kSent);
  for (int copy = 0; copy < 2; ++copy) {
    EXPECT_EQ(CallBack(work, v1::ATTEMPT_STATUS_BUSY), DeliveryResult::kCallbackHandled);
    clock.Advance(minutes(1));
  }
  const std::vector<records::v1::WorkRecord> scheduled = Waiting();
  ASSERT_THAT(scheduled, SizeIs(2));
  EXPECT_EQ(scheduled[0].SerializeAsString(), scheduled[1].SerializeAsString());
  clock.Set(FromUnixMicros(scheduled[1].due_time_us()));
  EXPECT_EQ(Place(scheduled[0]), DeliveryResult::kSent);
  EXPECT_EQ(Place(scheduled[1]), DeliveryResult::kSent);  // the stored result is published again
  EXPECT_THAT(provider.sent, SizeIs(2));
}

// When it is received again, there is no time left for another call.
TEST_F(CallsTest, ARepeatedCallbackDecidesAsTheFirst) {  // W5
  const records::v1::WorkRecord work = ACall();
  PlaceAndRetry(work, v1::ATTEMPT_STATUS_BUSY);
  const records::v1::Event first = Events().back();
  clock.Set(FromUnixMicros(work.expire_time_us()) - minutes(1));
  EXPECT_EQ(CallBack(work, v1::ATTEMPT_STATUS_BUSY), DeliveryResult::kCallbackHandled);
  EXPECT_EQ(Events().back().SerializeAsString(), first.SerializeAsString());
  EXPECT_THAT(DeadLetters(), IsEmpty());
}

TEST_F(CallsTest, ARepeatedCallbackDecidesAsTheFirstAfterADataLoss) {  // W5, R4
  const records::v1::WorkRecord work = ACall();
  PlaceAndRetry(work, v1::ATTEMPT_STATUS_BUSY);
  const records::v1::Event first = Events().back();
  claims.LoseData();
  claims.SetDown(false);
  log_history.older.push_back(RecordOf(work));
  for (const records::v1::Event& event : Events())
    ASSERT_TRUE(Await(claims.Sync(*KnownAttemptOf(event))));
  clock.Set(FromUnixMicros(work.expire_time_us()) - minutes(1));
  EXPECT_EQ(CallBack(work, v1::ATTEMPT_STATUS_BUSY), DeliveryResult::kCallbackHandled);
  EXPECT_EQ(Events().back().SerializeAsString(), first.SerializeAsString());
  EXPECT_THAT(DeadLetters(), IsEmpty());
}

TEST_F(CallsTest, DoesNotCallAgainAfterAnAnswer) {
  const records::v1::WorkRecord work = ACall();
  ASSERT_EQ(Place(work), DeliveryResult::kSent);
  for (const v1::AttemptStatus status :
       {v1::ATTEMPT_STATUS_RINGING, v1::ATTEMPT_STATUS_ANSWERED_HUMAN,
        v1::ATTEMPT_STATUS_DELIVERED})
    EXPECT_EQ(CallBack(work, status, v1::ANSWERED_BY_HUMAN), DeliveryResult::kCallbackHandled);
  EXPECT_THAT(Waiting(), IsEmpty());
}

TEST_F(CallsTest, DoesNotCallAgainAfterAKeyThoughAMachineWasDetected) {  // V3, V5
  const records::v1::WorkRecord work = ACall();
  ASSERT_EQ(Place(work), DeliveryResult::kSent);
  for (const v1::AttemptStatus status :
       {v1::ATTEMPT_STATUS_ANSWERED_MACHINE, v1::ATTEMPT_STATUS_DELIVERED}) {
    EXPECT_EQ(CallBack(work, v1::ATTEMPT_STATUS_ANSWERED_HUMAN),  // a key
              DeliveryResult::kCallbackHandled);
    EXPECT_EQ(CallBack(work, status, v1::ANSWERED_BY_MACHINE), DeliveryResult::kCallbackHandled);
  }
  EXPECT_THAT(Waiting(), IsEmpty());
}

TEST_F(CallsTest, ACallThatEndedWithAMachineIsNotDelivered) {  // A2
  const records::v1::WorkRecord work = ACall();
  PlaceAndRetry(work, v1::ATTEMPT_STATUS_DELIVERED, v1::ANSWERED_BY_MACHINE);
  const MarkResult marked = claims.Mark({.alert_id = work.attempt().alert_id(),
                                         .client_id = work.client_id(),
                                         .mark = MarkRequest::Mark::kCancelled,
                                         .time = clock.Now()});
  EXPECT_FALSE(marked.delivered) << "the next call waits: a cancellation is not too late for it";
}

TEST_F(CallsTest, ALastCallThatEndedWithAMachineIsDelivered) {  // A2
  records::v1::WorkRecord work = ACall();
  work.mutable_retry_budget()->set_calls_placed(CallRetryPolicy().max_calls);
  ASSERT_EQ(Place(work), DeliveryResult::kSent);
  ASSERT_EQ(CallBack(work, v1::ATTEMPT_STATUS_DELIVERED, v1::ANSWERED_BY_MACHINE),
            DeliveryResult::kCallbackHandled);
  EXPECT_THAT(Waiting(), IsEmpty());
  const MarkRequest cancel{.alert_id = work.attempt().alert_id(),
                           .client_id = work.client_id(),
                           .mark = MarkRequest::Mark::kCancelled,
                           .time = clock.Now()};
  EXPECT_TRUE(claims.Mark(cancel).delivered);
  const auto restored = KnownAttemptOf(Events().back());
  ASSERT_TRUE(restored);
  EXPECT_TRUE(restored->delivered) << "also after a data loss of the store";
}

TEST_F(CallsTest, ResolvesFromTheListWithoutAnotherCall) {
  const records::v1::WorkRecord lookup = MakeInDoubt(ACall());
  EXPECT_EQ(Await(calls.Deliver(RecordOf(lookup))), DeliveryResult::kLookupPending);
  list.AddCall(kNumber, "CA1", clock.Now());
  EXPECT_EQ(Await(calls.Deliver(RecordOf(Waiting().back()))), DeliveryResult::kResolvedByList);
  EXPECT_EQ(Last().provider_sid(), "CA1");
  EXPECT_THAT(provider.sent, SizeIs(1));
}

TEST_F(CallsTest, DistributesListedCallsToOneRecipientByCount) {
  const records::v1::WorkRecord one = MakeInDoubt(ACall());
  const records::v1::WorkRecord two = MakeInDoubt(Another());
  list.AddCall(kNumber, "CA1", clock.Now());
  EXPECT_EQ(Await(calls.Deliver(RecordOf(one))),
            DeliveryResult::kLookupPending);  // may belong to either
  list.AddCall(kNumber, "CA2", clock.Now());
  EXPECT_EQ(Await(calls.Deliver(RecordOf(Waiting().back()))), DeliveryResult::kResolvedByList);
  EXPECT_EQ(Await(calls.Deliver(RecordOf(two))), DeliveryResult::kResolvedByList);
  const auto events = Events();
  EXPECT_NE(events[events.size() - 2].attempt_changed().provider_sid(), Last().provider_sid());
}

TEST_F(CallsTest, IgnoresAListedCallOfAnotherAttempt) {
  const records::v1::WorkRecord first = Another();
  ASSERT_EQ(Place(first), DeliveryResult::kSent);
  list.AddCall(kNumber, SidOf(first), clock.Now());
  const records::v1::WorkRecord lookup = MakeInDoubt(ACall());
  EXPECT_EQ(Await(calls.Deliver(RecordOf(lookup))), DeliveryResult::kLookupPending);
  clock.Advance(std::chrono::seconds(75));
  EXPECT_EQ(Await(calls.Deliver(RecordOf(Waiting().back()))), DeliveryResult::kResolvedByPolicy);
}

}  // namespace
}  // namespace tocsin
