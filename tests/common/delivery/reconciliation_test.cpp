// Reconciliation with the carrier's books: S3, R1, R2.
#include "common/delivery/reconciliation.h"

#include "tests/common/delivery/delivery_fixture.h"
#include "tests/fakes/carrier_books.h"
#include "tests/fakes/record_history.h"

namespace tocsin {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* kSid = "SM0000000000000000000000000000000a";

class ReconciliationTest : public DeliveryFixture {
 protected:
  // Twilio took it, and no callback comes.
  v1::WorkRecord Sent(const std::string& sid = kSid) {
    carrier.answer = FakeCarrier::Accepted(sid);
    v1::WorkRecord work = AWork();
    work.mutable_try_()->set_alert_id(NewAlertId(clock.Now(), sid.substr(sid.size() - 10)));
    work.clear_key();
    v1::Content content;
    content.set_to(kNumber);
    content.set_text(kText);
    const auto sealed =
        vault.Seal({"demo", work.try_().alert_id(), "content"}, content.SerializeAsString());
    *work.mutable_content() = sealed->sealed;
    *work.mutable_key() = sealed->key;
    EXPECT_EQ(Deliver(work), Passage::kSent);
    return work;
  }
  void Write(const char* status, int code = 0, std::optional<std::int64_t> micros = std::nullopt) {
    BookEntry entry{.status = status,
                    .code = code,
                    .segments = 1,
                    .price = {},
                    .answered_by = {},
                    .duration_seconds = -1,
                    .updated = std::chrono::floor<seconds>(clock.Now())};
    if (micros) {
      entry.price.emplace();
      entry.price->set_micros(*micros);
      entry.price->set_currency("USD");
    }
    books.entries[kSid] = entry;
  }
  size_t Run() {
    const auto run = reconciliation.Run([this](Micros pause) {
      paused += pause;
      return true;
    });
    EXPECT_TRUE(run) << run.error().message;
    return run.value_or(0);
  }
  v1::Event Last() const { return Events().back(); }

  FakeCarrierBooks books;
  FakeRecordHistory history;
  CallbackDesk desk{v1::CHANNEL_SMS, {clock, claims, log, history, topics}, {}};
  std::vector<Finding> findings;
  Micros paused{};
  Reconciliation reconciliation{
      v1::CHANNEL_SMS,
      {clock, registry, claims, books, desk, log, topics},
      {},
      {.found = [this](Finding finding) { findings.push_back(finding); }}};
};

TEST_F(ReconciliationTest, AsksNobodyBeforeCallbacksHadTheirTime) {
  Sent();
  clock.Advance(minutes(10) - seconds(1));
  EXPECT_EQ(Run(), 0u);
  EXPECT_THAT(books.asked, IsEmpty());
}

TEST_F(ReconciliationTest, TellsTheEndThatNoCallbackTold) {
  const v1::WorkRecord work = Sent();
  Write("delivered");
  clock.Advance(minutes(10));
  EXPECT_EQ(Run(), 1u);
  EXPECT_EQ(Last().try_changed().status(), v1::TRY_STATUS_DELIVERED);
  EXPECT_EQ(Last().try_changed().provider_sid(), kSid);
  EXPECT_EQ(Last().try_().alert_id(), work.try_().alert_id());
  EXPECT_EQ(Last().client_id(), "demo");
  EXPECT_NE(Last().try_changed().remark().find("books"), std::string::npos);
  EXPECT_THAT(findings, ElementsAre(Finding::kEnd));
}

TEST_F(ReconciliationTest, TellsThePriceOnceAndThenAsksNoMore) {  // L3
  Sent();
  Write("delivered", 0, 7'500);
  clock.Advance(minutes(10));
  Run();
  const size_t events = Events().size();
  EXPECT_EQ(Events()[events - 2].try_priced().price().micros(), 7'500);
  EXPECT_EQ(Events()[events - 2].try_priced().segments(), 1u);
  clock.Advance(hours(24));
  EXPECT_EQ(Run(), 0u);
  EXPECT_THAT(Events(), SizeIs(events));
}

TEST_F(ReconciliationTest, TellsOnlyThePriceWhenACallbackToldTheEnd) {
  const v1::WorkRecord work = Sent();
  v1::Receipt told = FakeCarrier::Accepted(kSid);
  told.set_settled_by("callback");
  told.set_status(v1::TRY_STATUS_DELIVERED);
  ASSERT_TRUE(claims.Keep(work.try_(), 0, told));
  const size_t events = Events().size();
  Write("delivered", 0, 7'500);
  clock.Advance(minutes(10));
  Run();
  ASSERT_THAT(Events(), SizeIs(events + 1));
  EXPECT_TRUE(Last().has_try_priced());
  EXPECT_THAT(findings, ElementsAre(Finding::kPrice));
}

TEST_F(ReconciliationTest, LooksAgainAtGrowingDistancesWhileNothingIsKnown) {
  Sent();
  Write("sent");
  std::vector<std::int64_t> minutes_after;
  const WallTime began = clock.Now();
  while (findings.empty() || findings.back() == Finding::kNothing) {
    clock.Advance(minutes(1));
    if (Run() > 0)
      minutes_after.push_back(std::chrono::floor<minutes>(clock.Now() - began).count());
  }
  // A validity of ten hours and an hour of grace.
  EXPECT_THAT(minutes_after, ElementsAre(10, 20, 40, 80, 160, 320, 640, 660));
  EXPECT_EQ(Last().try_changed().status(), v1::TRY_STATUS_SENT_UNCONFIRMED);
  EXPECT_EQ(Last().time_us(), ToUnixMicros(began + hours(11)));
}

TEST_F(ReconciliationTest, EndsUnconfirmedWhatTwilioDoesNotKnow) {
  v1::WorkRecord work = Sent();
  clock.Advance(hours(11));
  Run();
  EXPECT_EQ(Last().try_changed().status(), v1::TRY_STATUS_SENT_UNCONFIRMED);
  EXPECT_THAT(findings, ElementsAre(Finding::kUnconfirmed));
}

TEST_F(ReconciliationTest, TriesAgainWhatCouldNotBeDeliveredAsItsCallbackWouldHave) {  // R2
  const v1::WorkRecord work = Sent();
  Write("undelivered", 30003);
  clock.Advance(minutes(10));
  Run();
  ASSERT_FALSE(log.Records().empty());
  EXPECT_EQ(Last().try_changed().status(), v1::TRY_STATUS_UNDELIVERED);
  EXPECT_EQ(Last().try_changed().next_try(), 2u);
  const auto lane = log.On<v1::WorkRecord>(topics.Lane(v1::CHANNEL_SMS, v1::ALERT_CLASS_NORMAL));
  ASSERT_THAT(lane, SizeIs(1));  // the wait after the failure is over by now
  EXPECT_EQ(lane[0].try_().try_(), 2u);
  EXPECT_EQ(lane[0].try_().alert_id(), work.try_().alert_id());
}

TEST_F(ReconciliationTest, PublishesTheSameBytesWhenItDiedBeforeItNotedThem) {  // R1
  Sent();
  Write("delivered", 0, 7'500);
  clock.Advance(minutes(10));
  const auto due = claims.Due(v1::CHANNEL_SMS, clock.Now(), 10);
  ASSERT_TRUE(due);
  const auto first = Reconcile(v1::CHANNEL_SMS, due->due[0], books.entries[kSid], {}, clock.Now());
  clock.Advance(minutes(5));
  const auto again = Reconcile(v1::CHANNEL_SMS, due->due[0], books.entries[kSid], {}, clock.Now());
  ASSERT_THAT(first.events, SizeIs(2));
  for (size_t i = 0; i < first.events.size(); ++i)
    EXPECT_EQ(first.events[i].SerializeAsString(), again.events[i].SerializeAsString());
}

TEST_F(ReconciliationTest, GivesAPriceUpThatNeverComes) {
  Sent();
  Write("delivered");
  for (int hour = 0; hour < 60; ++hour) {
    clock.Advance(hours(1));
    Run();
  }
  EXPECT_EQ(findings.back(), Finding::kGivenUp);
  EXPECT_TRUE(claims.Due(v1::CHANNEL_SMS, clock.Now() + hours(24), 10)->due.empty());
}

TEST_F(ReconciliationTest, LeavesTheRestOfARunWhenTwilioDoesNotAnswer) {
  for (const char last : {'a', 'b', 'c', 'd'})
    Sent("SM0000000000000000000000000000000" + std::string(1, last));
  books.unreadable = true;
  clock.Advance(minutes(10));
  EXPECT_EQ(reconciliation.Run([](Micros) { return true; }).error().code,
            ErrorCode::kTwilioApiError);
  EXPECT_THAT(books.asked, SizeIs(kFailuresInARow));
  books.unreadable = false;
  EXPECT_EQ(Run(), 1u);
  clock.Advance(kAfterFailure);
  EXPECT_EQ(Run(), kFailuresInARow);
}

TEST_F(ReconciliationTest, AnAccountThatDoesNotAnswerHoldsUpNoOther) {  // S3
  const std::string closed = "SM0000000000000000000000000000000a";
  const std::string open = "SM0000000000000000000000000000000b";
  Sent(closed);
  Sent(open);
  books.unreadable_sids.insert(closed);
  books.entries[open] = {.status = "delivered",
                         .code = 0,
                         .segments = 1,
                         .price = {},
                         .answered_by = {},
                         .duration_seconds = -1,
                         .updated = std::chrono::floor<seconds>(clock.Now())};
  clock.Advance(minutes(10));
  EXPECT_EQ(Run(), 2u);
  EXPECT_EQ(Last().try_changed().provider_sid(), open);
  EXPECT_EQ(Last().try_changed().status(), v1::TRY_STATUS_DELIVERED);
}

TEST_F(ReconciliationTest, KeepsToItsRateAndToTheLengthOfARun) {
  for (size_t i = 0; i <= kTriesPerRun; ++i) {
    const std::string number = std::to_string(1000 + i);
    Sent("SM" + std::string(32 - number.size(), '0') + number);
    clock.Advance(std::chrono::milliseconds(20));  // the sender's rate
  }
  clock.Advance(minutes(10));
  EXPECT_EQ(Run(), kTriesPerRun);
  EXPECT_EQ(paused, (kTriesPerRun - 1) * std::chrono::milliseconds(100));
  EXPECT_EQ(Run(), 1u);
}

TEST_F(ReconciliationTest, NotesNothingThatIsNotOnDisk) {  // R1
  Sent();
  Write("delivered", 0, 7'500);
  clock.Advance(minutes(10));
  log.EndWith(PublishOutcome::kNotPersisted);
  EXPECT_FALSE(reconciliation.Run([](Micros) { return true; }));
  log.EndWith(PublishOutcome::kPersisted);
  EXPECT_EQ(Run(), 1u);
  EXPECT_THAT(findings, ElementsAre(Finding::kEnd));
}

}  // namespace
}  // namespace tocsin
