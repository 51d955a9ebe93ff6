// Calls, as a worker places them again when they reached nobody, and settles their doubts: V3, R4.
#include "common/delivery/callback_desk.h"
#include "tests/common/delivery/delivery_fixture.h"
#include "tests/fakes/record_history.h"

namespace tocsin {
namespace {

using std::chrono::minutes;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class CallsTest : public DeliveryFixture {
 protected:
  CallsTest() {
    RegistrySnapshot::Content content = TestRegistry();
    content.voice = ChannelMode::kLive;
    for (Sender& sender : content.senders) {
      sender.channels.insert(v1::CHANNEL_VOICE);
      sender.calls_per_second = 1'000;
    }
    registry.Swap(Built(content));
  }
  v1::WorkRecord ACall() {
    v1::WorkRecord work = AWork();
    work.set_channel(v1::CHANNEL_VOICE);
    work.mutable_budget()->set_calls(1);
    return work;
  }
  static std::string SidOf(const v1::WorkRecord& work) { return "CA" + TryText(work.try_()); }
  Result<Passage> Place(const v1::WorkRecord& work) {
    carrier.answer = FakeCarrier::Accepted(SidOf(work));
    return calls.Deliver(RecordOf(work));
  }
  // What Twilio says of the call that was placed for `work`.
  Result<Passage> Hear(const v1::WorkRecord& work, const char* word, const char* taker = "") {
    v1::WebhookRecord callback;
    callback.set_kind(v1::WEBHOOK_KIND_VOICE_STATUS);
    callback.set_received_time_us(ToUnixMicros(clock.Now()));
    *callback.mutable_try_() = work.try_();
    callback.mutable_work()->set_topic(topics.Lane(v1::CHANNEL_VOICE, v1::ALERT_CLASS_NORMAL));
    callback.set_token_time_us(ToUnixMicros(clock.Now()));
    callback.set_provider_sid(SidOf(work));
    callback.set_provider_status(word);
    callback.set_answered_by(taker);
    IncomingRecord record;
    record.key = work.try_().alert_id();
    record.value = callback.SerializeAsString();
    return desk.Take(record);
  }
  // Places the call and lets it end so; gives the next one when it is due.
  v1::WorkRecord Again(const v1::WorkRecord& work, const char* word, const char* taker = "") {
    EXPECT_EQ(Place(work), Passage::kSent);
    EXPECT_EQ(Hear(work, word, taker), Passage::kNoted);
    const v1::WorkRecord next = Waiting().back();
    clock.Set(FromUnixMicros(next.due_time_us()));
    return next;
  }
  // A call that was perhaps placed; gives its first look.
  v1::WorkRecord Doubt(const v1::WorkRecord& work) {
    carrier.answer = FakeCarrier::Of(v1::RECEIPT_OUTCOME_IN_DOUBT);
    EXPECT_EQ(calls.Deliver(RecordOf(work)), Passage::kInDoubt);
    return Waiting().back();
  }
  // Another alert, and text, for the same person.
  v1::WorkRecord Another() {
    v1::WorkRecord work = ACall();
    work.mutable_try_()->set_alert_id(NewAlertId(clock.Now(), "another id"));
    work.set_body_digest("another text");
    v1::Content content;
    content.set_to(kNumber);
    content.set_text("another text");
    const auto sealed =
        vault.Seal({"demo", work.try_().alert_id(), "content"}, content.SerializeAsString());
    *work.mutable_content() = sealed->sealed;
    *work.mutable_key() = sealed->key;
    return work;
  }
  v1::TryChanged Last() const { return Events().back().try_changed(); }

  FakeRecordHistory history;
  DeliveryPipeline calls{
      v1::CHANNEL_VOICE,
      {clock, registry, consents, claims, pacer, vault, carrier, list, log, log_history, topics},
      {.owner = "test", .retry = {}}};
  CallbackDesk desk{v1::CHANNEL_VOICE, {clock, claims, log, history, topics}, {}};
};

TEST_F(CallsTest, EachWaitIsThatOfItsOutcome) {
  v1::WorkRecord work = ACall();
  std::vector<std::int64_t> waited;
  for (const auto& [word, taker] : {std::pair("busy", ""), std::pair("no-answer", ""),
                                    std::pair("failed", ""), std::pair("completed", "fax")}) {
    const WallTime ended = clock.Now();
    work = Again(work, word, taker);
    waited.push_back((work.due_time_us() - ToUnixMicros(ended)) / 60'000'000);
  }
  EXPECT_THAT(waited, ElementsAre(2, 5, 5, 10));
  EXPECT_EQ(work.try_().try_(), 5u);
  EXPECT_EQ(work.budget().calls(), 5u);
}

TEST_F(CallsTest, TheLastCallLeavesADeadLetter) {
  v1::WorkRecord work = ACall();
  for (int i = 1; i < 6; ++i) work = Again(work, "busy");
  const size_t waiting = Waiting().size();
  Again(work, "busy");
  EXPECT_THAT(Waiting(), SizeIs(waiting));
  EXPECT_THAT(carrier.sent, SizeIs(6));
  EXPECT_TRUE(Last().last());
  EXPECT_EQ(Last().reason(), "RETRIES_EXHAUSTED");
  EXPECT_THAT(log.On<v1::DeadRecord>(topics.Dead(v1::CHANNEL_VOICE)), SizeIs(1));
}

TEST_F(CallsTest, NoneIsPlannedAfterTheHorizonAndNonePlacedAfterIt) {  // A5
  v1::WorkRecord work = ACall();
  work.set_not_after_us(ToUnixMicros(clock.Now() + minutes(3)));
  work = Again(work, "busy");
  clock.Set(FromUnixMicros(work.not_after_us()));
  EXPECT_EQ(Place(work), Passage::kEnded);
  EXPECT_EQ(Last().status(), v1::TRY_STATUS_EXPIRED);
  EXPECT_THAT(carrier.sent, SizeIs(1));

  v1::WorkRecord brief = ACall();
  brief.set_not_after_us(ToUnixMicros(clock.Now() + minutes(1)));
  EXPECT_EQ(Place(brief), Passage::kSent);
  EXPECT_EQ(Hear(brief, "busy"), Passage::kNoted);
  EXPECT_EQ(Last().reason(), "EXPIRED");
}

TEST_F(CallsTest, WhoTookNoticeOrCancelledIsNotCalledAgain) {  // V3, V4
  for (const char* mark : {"ACKNOWLEDGED", "CANCELLED"}) {
    const v1::WorkRecord work = ACall();
    const v1::WorkRecord next = Again(work, "no-answer");
    const size_t placed = carrier.sent.size();
    claims.Mark(work.try_().alert_id(), mark);  // after the next call was planned
    EXPECT_EQ(Place(next), Passage::kEnded);
    EXPECT_EQ(Last().status(), v1::TRY_STATUS_CANCELLED);
    EXPECT_EQ(Last().reason(), mark);
    EXPECT_THAT(carrier.sent, SizeIs(placed));
  }
}

TEST_F(CallsTest, WhoOptedOutByAKeyIsNotCalledAgain) {  // S4
  const v1::WorkRecord next = Again(ACall(), "completed", "machine_start");
  v1::ConsentRecord consent;
  *consent.mutable_recipient() = next.recipient();
  consent.set_state(v1::CONSENT_STATE_OPTED_OUT);
  consent.set_observed_time_us(ToUnixMicros(clock.Now()));
  consents.Apply(consent);
  EXPECT_EQ(Place(next), Passage::kEnded);
  EXPECT_EQ(Last().status(), v1::TRY_STATUS_SUPPRESSED);
  EXPECT_THAT(carrier.sent, SizeIs(1));
}

TEST_F(CallsTest, ACallbackThatComesTwicePlacesOneCall) {  // W5
  const v1::WorkRecord work = ACall();
  v1::WorkRecord next = Again(work, "busy");
  EXPECT_EQ(Hear(work, "busy"), Passage::kNoted);
  const std::vector<v1::WorkRecord> planned = Waiting();
  ASSERT_THAT(planned, SizeIs(2));
  EXPECT_EQ(planned[0].try_().try_(), planned[1].try_().try_());
  clock.Set(FromUnixMicros(planned[1].due_time_us()));
  EXPECT_EQ(Place(planned[0]), Passage::kSent);
  EXPECT_EQ(Place(planned[1]), Passage::kSent);  // settled again, not placed
  EXPECT_THAT(carrier.sent, SizeIs(2));
}

TEST_F(CallsTest, WhoAnsweredIsNotCalledAgain) {
  const v1::WorkRecord work = ACall();
  ASSERT_EQ(Place(work), Passage::kSent);
  for (const char* word : {"ringing", "in-progress", "completed"})
    EXPECT_EQ(Hear(work, word, "human"), Passage::kNoted);
  EXPECT_THAT(Waiting(), IsEmpty());
}

TEST_F(CallsTest, ADoubtIsSettledByTheListWithoutACallMore) {
  const v1::WorkRecord look = Doubt(ACall());
  EXPECT_EQ(calls.Deliver(RecordOf(look)), Passage::kLooksAgain);
  list.AddCall(kNumber, "CA1", clock.Now());
  EXPECT_EQ(calls.Deliver(RecordOf(look)), Passage::kSettledByList);
  EXPECT_EQ(Last().provider_sid(), "CA1");
  EXPECT_THAT(carrier.sent, SizeIs(1));
}

TEST_F(CallsTest, DoubtsOfOnePersonShareOutTheListByCountWhateverTheySay) {
  const v1::WorkRecord one = Doubt(ACall());
  const v1::WorkRecord two = Doubt(Another());
  list.AddCall(kNumber, "CA1", clock.Now());
  EXPECT_EQ(calls.Deliver(RecordOf(one)), Passage::kLooksAgain);  // whose it is, nobody can tell
  list.AddCall(kNumber, "CA2", clock.Now());
  EXPECT_EQ(calls.Deliver(RecordOf(one)), Passage::kSettledByList);
  EXPECT_EQ(calls.Deliver(RecordOf(two)), Passage::kSettledByList);
  const auto events = Events();
  EXPECT_NE(events[events.size() - 2].try_changed().provider_sid(), Last().provider_sid());
}

TEST_F(CallsTest, ACallThatAnotherTryOwnsProvesNothing) {
  const v1::WorkRecord first = Another();
  ASSERT_EQ(Place(first), Passage::kSent);
  list.AddCall(kNumber, SidOf(first), clock.Now());
  const v1::WorkRecord look = Doubt(ACall());
  EXPECT_EQ(calls.Deliver(RecordOf(look)), Passage::kLooksAgain);
  clock.Advance(std::chrono::seconds(75));
  EXPECT_EQ(calls.Deliver(RecordOf(look)), Passage::kSettledByPolicy);
}

}  // namespace
}  // namespace tocsin
