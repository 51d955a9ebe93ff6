// Settlement of doubt, as a worker makes it: R4.
#include "common/delivery/doubt_look.h"

#include "common/delivery/callback_desk.h"
#include "tests/common/delivery/delivery_fixture.h"
#include "tests/fakes/record_history.h"

namespace tocsin {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* kSid = "SM0000000000000000000000000000000a";
constexpr const char* kOtherSid = "SM0000000000000000000000000000000b";

class DoubtLookTest : public DeliveryFixture {
 protected:
  // A try whose POST was perhaps taken; gives its first look.
  v1::WorkRecord Doubt(v1::WorkRecord work) {
    carrier.answer = FakeCarrier::Of(v1::RECEIPT_OUTCOME_IN_DOUBT);
    EXPECT_EQ(Deliver(work), Passage::kInDoubt);
    return Waiting().back();
  }
  v1::WorkRecord Emergency() {
    v1::WorkRecord work = AWork();
    work.set_class_(v1::ALERT_CLASS_EMERGENCY);
    return work;
  }
  v1::WorkRecord Another() {  // to the same person, with the same text
    v1::WorkRecord work = AWork();
    const std::string first = work.try_().alert_id();
    work.mutable_try_()->set_alert_id(NewAlertId(clock.Now(), "another id"));
    work.clear_key();
    const auto sealed =
        vault.Seal({"demo", work.try_().alert_id(), "content"},
                   vault.Open({"demo", first, "content"}, {}, work.content())->Reveal());
    *work.mutable_content() = sealed->sealed;
    return work;
  }
  void AddToList(const char* sid, const char* text = kText) {
    list.Add(kNumber, text, sid, std::chrono::floor<seconds>(clock.Now()));
  }
  v1::TryChanged Last() const { return Events().back().try_changed(); }
  Result<Passage> CallBack(const v1::TryName& name, const char* sid, const char* word = "sent",
                           int code = 0) {
    v1::WebhookRecord callback;
    callback.set_webhook_id(EventId(name, word));
    callback.set_kind(v1::WEBHOOK_KIND_SMS_STATUS);
    callback.set_received_time_us(ToUnixMicros(clock.Now()));
    *callback.mutable_try_() = name;
    callback.mutable_work()->set_topic(topics.Lane(v1::CHANNEL_SMS, v1::ALERT_CLASS_NORMAL));
    callback.mutable_work()->set_offset(7);
    callback.set_token_time_us(ToUnixMicros(clock.Now()));
    callback.set_provider_sid(sid);
    callback.set_account_sid(kTestAccount);
    callback.set_provider_status(word);
    callback.set_provider_code(code);
    IncomingRecord record;
    record.key = name.alert_id();
    record.value = callback.SerializeAsString();
    return desk.Take(record);
  }

  FakeRecordHistory history;
  CallbackDesk desk{v1::CHANNEL_SMS, {clock, claims, log, history, topics}, {}};
};

TEST_F(DoubtLookTest, FindsWhatTwilioListsWithoutSendingAgain) {
  const v1::WorkRecord look = Doubt(AWork());
  AddToList(kSid);
  EXPECT_EQ(Deliver(look), Passage::kSettledByList);
  EXPECT_EQ(Last().status(), v1::TRY_STATUS_SENT);
  EXPECT_EQ(Last().provider_sid(), kSid);
  EXPECT_EQ(Last().settled_by(), "list");
  EXPECT_THAT(carrier.sent, SizeIs(1));
  EXPECT_THAT(Dead(), IsEmpty());
}

TEST_F(DoubtLookTest, AsksNoListWhenACallbackNamedTheTry) {
  const v1::WorkRecord look = Doubt(AWork());
  EXPECT_EQ(CallBack(look.try_(), kSid), Passage::kNoted);
  EXPECT_EQ(Deliver(look), Passage::kSettledByCallback);
  EXPECT_EQ(Last().settled_by(), "callback");
  EXPECT_EQ(Last().provider_sid(), kSid);
  EXPECT_EQ(list.asked, 0);
}

TEST_F(DoubtLookTest, LooksAgainAtGrowingDistancesUntilTheTimeIsUp) {
  v1::WorkRecord look = Doubt(AWork());
  const std::int64_t began = look.doubt().began_us();
  std::vector<std::int64_t> seconds_after;
  while (true) {
    seconds_after.push_back((look.due_time_us() - began) / 1'000'000);
    clock.Set(FromUnixMicros(look.due_time_us()));
    const auto passage = Deliver(look);
    if (passage != Passage::kLooksAgain) {
      EXPECT_EQ(passage, Passage::kSettledByPolicy);
      break;
    }
    look = Waiting().back();
  }
  EXPECT_THAT(seconds_after, ElementsAre(1, 3, 7, 15, 31, 63, 75));
  EXPECT_EQ(Last().status(), v1::TRY_STATUS_FAILED);
  EXPECT_EQ(Last().reason(), "IN_DOUBT");
  EXPECT_TRUE(Last().last());
  ASSERT_THAT(Dead(), SizeIs(1));
  EXPECT_EQ(Dead()[0].work().kind(), v1::WORK_KIND_TRY);
  EXPECT_THAT(carrier.sent, SizeIs(1));
}

TEST_F(DoubtLookTest, SendsAnEmergencyAgainAfterItsLimitAndSaysSo) {  // V7
  const v1::WorkRecord look = Doubt(Emergency());
  list.unreadable = true;  // whether the list can be read or not
  clock.Advance(seconds(15));
  EXPECT_EQ(Deliver(look), Passage::kSettledByPolicy);
  EXPECT_EQ(Last().next_try(), 2u);
  EXPECT_FALSE(Last().last());
  EXPECT_NE(Last().remark().find("sent again"), std::string::npos);
  const auto lane = log.On<v1::WorkRecord>("tocsin.sms.emergency");
  ASSERT_THAT(lane, SizeIs(1));
  EXPECT_EQ(lane[0].kind(), v1::WORK_KIND_TRY);
  EXPECT_EQ(lane[0].budget().used(), 2u);
  carrier.answer = FakeCarrier::Accepted(kSid);
  EXPECT_EQ(Deliver(lane[0]), Passage::kSent);
  EXPECT_THAT(carrier.sent, SizeIs(2));
}

TEST_F(DoubtLookTest, FollowsTheWishOfTheCallerRatherThanTheClass) {
  v1::WorkRecord careful = Emergency();
  careful.set_doubt_policy(v1::DOUBT_POLICY_FAIL);
  v1::WorkRecord insistent = Another();
  insistent.set_doubt_policy(v1::DOUBT_POLICY_SEND_AGAIN);
  const v1::WorkRecord first = Doubt(careful);
  const v1::WorkRecord second = Doubt(insistent);
  clock.Advance(seconds(75));
  ASSERT_TRUE(Deliver(first));
  EXPECT_TRUE(Last().last());
  ASSERT_TRUE(Deliver(second));
  EXPECT_EQ(Last().next_try(), 2u);
}

TEST_F(DoubtLookTest, SettlesASecondLookToTheSameBytes) {  // R1
  const v1::WorkRecord look = Doubt(AWork());
  clock.Advance(seconds(75));
  ASSERT_TRUE(Deliver(look));
  const auto first = log.Records();
  clock.Advance(seconds(10));
  EXPECT_EQ(Deliver(look), Passage::kSettledByPolicy);
  const auto both = log.Records();
  ASSERT_THAT(both, SizeIs(first.size() + 2));  // the event and the dead letter
  EXPECT_EQ(both[both.size() - 2].value, first[first.size() - 2].value);
  EXPECT_EQ(both.back().value, first.back().value);
}

TEST_F(DoubtLookTest, LetsLateProofCorrectTheEnd) {
  const v1::WorkRecord look = Doubt(AWork());
  clock.Advance(seconds(75));
  ASSERT_TRUE(Deliver(look));
  EXPECT_EQ(CallBack(look.try_(), kSid, "delivered"), Passage::kNoted);
  EXPECT_EQ(Deliver(look), Passage::kSettledByCallback);
  EXPECT_EQ(Last().status(), v1::TRY_STATUS_SENT);
}

TEST_F(DoubtLookTest, TakesNothingThatIsNotThisTry) {
  const v1::WorkRecord look = Doubt(AWork());
  AddToList(kSid, "Another text");
  list.Add(kNumber, kText, kOtherSid, clock.Now() - seconds(60));  // before the POST
  list.Add(kNumber, kText, "SM0000000000000000000000000000000c", clock.Now(), "urgent");
  clock.Advance(seconds(1));
  EXPECT_EQ(Deliver(look), Passage::kLooksAgain);
}

TEST_F(DoubtLookTest, TakesNoMessageThatAnotherTryOwns) {
  carrier.answer = FakeCarrier::Accepted(kSid);
  ASSERT_EQ(Deliver(Another()), Passage::kSent);
  AddToList(kSid);
  const v1::WorkRecord look = Doubt(AWork());
  EXPECT_EQ(Deliver(look), Passage::kLooksAgain);
  clock.Advance(seconds(75));
  EXPECT_EQ(Deliver(look), Passage::kSettledByPolicy);
}

TEST_F(DoubtLookTest, SharesOutMessagesAmongTwinsByCount) {
  const v1::WorkRecord one = Doubt(AWork());
  const v1::WorkRecord two = Doubt(Another());
  AddToList(kSid);
  EXPECT_EQ(Deliver(one), Passage::kLooksAgain);  // whose it is, a callback may still say
  AddToList(kOtherSid);
  EXPECT_EQ(Deliver(one), Passage::kSettledByList);
  EXPECT_EQ(Deliver(two), Passage::kSettledByList);
  const auto events = Events();
  EXPECT_NE(events[events.size() - 2].try_changed().provider_sid(), Last().provider_sid());
}

TEST_F(DoubtLookTest, GivesTheOnlyMessageToOneOfTwoTwinsWhenTheTimeIsUp) {
  const v1::WorkRecord one = Doubt(AWork());
  const v1::WorkRecord two = Doubt(Another());
  AddToList(kSid);
  clock.Advance(seconds(75));
  EXPECT_EQ(Deliver(one), Passage::kSettledByList);
  EXPECT_EQ(Deliver(two), Passage::kSettledByPolicy);
}

TEST_F(DoubtLookTest, GivesNothingAwayWhileATwinIsBeingSent) {
  const v1::WorkRecord look = Doubt(AWork());
  const v1::WorkRecord twin = Another();
  carrier.answer = FakeCarrier::Accepted(kSid);
  carrier.during_post = [&] {
    AddToList(kSid);
    EXPECT_EQ(Deliver(look), Passage::kLooksAgain);
  };
  EXPECT_EQ(Deliver(twin), Passage::kSent);
}

TEST_F(DoubtLookTest, GivesBackToTheNamedTryWhatAListGaveToItsTwin) {
  const v1::WorkRecord one = Doubt(AWork());
  const v1::WorkRecord two = Doubt(Another());
  AddToList(kSid);
  AddToList(kOtherSid);
  ASSERT_EQ(Deliver(one), Passage::kSettledByList);
  const std::string guessed = Last().provider_sid();
  EXPECT_EQ(CallBack(two.try_(), guessed.c_str()), Passage::kNoted);
  EXPECT_EQ(Deliver(two), Passage::kSettledByCallback);
  EXPECT_EQ(Last().provider_sid(), guessed);
}

TEST_F(DoubtLookTest, SettlesADoubtThatTheStoreNeverHeardOf) {  // R6
  const v1::WorkRecord look = Doubt(AWork());
  claims.LoseMemory();
  EXPECT_EQ(Deliver(look).error().code, ErrorCode::kRedisUnavailable);
  claims.SetDown(false);
  AddToList(kSid);
  EXPECT_EQ(Deliver(look), Passage::kSettledByList);
}

TEST_F(DoubtLookTest, TriesAgainWhatTheCarrierTookAndCouldNotDeliver) {  // R2, S3
  carrier.answer = FakeCarrier::Accepted(kSid);
  const v1::WorkRecord work = AWork();
  ASSERT_EQ(Deliver(work), Passage::kSent);
  EXPECT_EQ(CallBack(work.try_(), kSid, "undelivered", 30003), Passage::kNoted);
  EXPECT_EQ(Last().status(), v1::TRY_STATUS_UNDELIVERED);
  EXPECT_EQ(Last().next_try(), 2u);
  ASSERT_FALSE(Waiting().empty());
  EXPECT_EQ(Waiting().back().try_().try_(), 2u);
  EXPECT_EQ(Waiting().back().budget().used(), 2u);
}

TEST_F(DoubtLookTest, FindsTheWorkOfACallbackInTheLogWhenTheStoreForgotIt) {  // R1
  carrier.answer = FakeCarrier::Accepted(kSid);
  const v1::WorkRecord work = AWork();
  ASSERT_EQ(Deliver(work), Passage::kSent);
  claims.LoseMemory();
  claims.SetDown(false);
  EXPECT_EQ(CallBack(work.try_(), kSid, "undelivered", 30003), Passage::kNoted);
  EXPECT_THAT(Waiting(), IsEmpty());  // the log has expired
  IncomingRecord record = RecordOf(work);
  record.position.set_offset(7);
  history.records.push_back(record);
  EXPECT_EQ(CallBack(work.try_(), kSid, "undelivered", 30003), Passage::kNoted);
  ASSERT_THAT(Waiting(), SizeIs(1));
  EXPECT_EQ(Waiting()[0].try_().try_(), 2u);
}

TEST_F(DoubtLookTest, LeavesAnEndThatNoOtherTryCouldMend) {  // R2
  carrier.answer = FakeCarrier::Accepted(kSid);
  const v1::WorkRecord work = AWork();
  ASSERT_EQ(Deliver(work), Passage::kSent);
  const size_t before = log.Records().size();
  EXPECT_EQ(CallBack(work.try_(), kSid, "undelivered", 30005), Passage::kNoted);
  EXPECT_EQ(CallBack(work.try_(), kSid, "delivered"), Passage::kNoted);
  EXPECT_THAT(log.Records(), SizeIs(before));
}

TEST_F(DoubtLookTest, CallsItADeadLetterWhenTheBudgetOfADeliveryIsUsedUp) {  // R2, R3
  carrier.answer = FakeCarrier::Accepted(kSid);
  v1::WorkRecord work = AWork();
  work.mutable_budget()->set_used(5);
  ASSERT_EQ(Deliver(work), Passage::kSent);
  EXPECT_EQ(CallBack(work.try_(), kSid, "failed", 30008), Passage::kNoted);
  EXPECT_EQ(Last().reason(), "RETRIES_EXHAUSTED");
  EXPECT_TRUE(Last().last());
  EXPECT_THAT(Dead(), SizeIs(1));
}

TEST_F(DoubtLookTest, WaitsForTheStoreBeforeACallbackIsDone) {  // R1
  const v1::WorkRecord look = Doubt(AWork());
  claims.SetDown(true);
  EXPECT_EQ(CallBack(look.try_(), kSid).error().code, ErrorCode::kRedisUnavailable);
}

}  // namespace
}  // namespace tocsin
