// Reconciliation with the provider's records. S3, R1, R2
#include "common/delivery/reconciliation.h"

#include "common/async/task_group.h"
#include "tests/common/delivery/delivery_fixture.h"
#include "tests/fakes/manual_scheduler.h"
#include "tests/fakes/provider_lookup.h"

namespace tocsin {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* kSid = "SM0000000000000000000000000000000a";

class ReconciliationTest : public DeliveryFixture {
 protected:
  // An accepted attempt without callbacks.
  records::v1::WorkRecord Sent(const std::string& sid = kSid, const std::string& sender = "main") {
    provider.result = FakeProvider::Accepted(sid);
    records::v1::WorkRecord work = AWork();
    work.set_sender_id(sender);
    work.mutable_attempt()->set_alert_id(NewAlertId(clock.Now(), sid.substr(sid.size() - 10)));
    Seal(work);
    EXPECT_EQ(Deliver(work), DeliveryResult::kSent);
    return work;
  }
  void AddSender(const std::string& id, const std::string& account_sid) {
    RegistrySnapshot::Content content = TestRegistry();
    content.accounts.push_back({account_sid, Secret("token"), Secret()});
    content.senders.push_back({.id = id,
                               .number = "+15017122663",
                               .messaging_service_sid = {},
                               .account_sid = account_sid,
                               .channels = {v1::CHANNEL_SMS},
                               .priorities = {},
                               .segments_per_second = 100});
    registry.Swap(Built(content));
  }
  ProviderRecord ARecord(v1::AttemptStatus status) {
    ProviderRecord record;
    record.status = status;
    record.segment_count = 1;
    record.updated = std::chrono::floor<seconds>(clock.Now());
    return record;
  }
  void SetRecord(v1::AttemptStatus status, std::optional<std::int64_t> price_micros = {}) {
    ProviderRecord record = ARecord(status);
    if (price_micros) {
      record.price.emplace();
      record.price->set_micros(*price_micros);
      record.price->set_currency_code("USD");
    }
    provider_lookup.records[kSid] = record;
  }
  // Lets time pass while the run sleeps.
  Result<ReconciliationRun> RunOnce() {
    std::optional<Result<ReconciliationRun>> run;
    const auto run_once = [&]() -> Task<void> { run = co_await reconciliation.Run(); };
    const WallTime begin = clock.Now();
    TaskGroup group;
    group.Start(run_once());
    while (!run && scheduler.RunNext()) {
    }
    slept = clock.Now() - begin;
    return *run;
  }
  size_t Run() {
    const Result<ReconciliationRun> run = RunOnce();
    EXPECT_TRUE(run) << run.error().message;
    return run ? run->attempts : 0;
  }
  static std::string SidOf(size_t i) {
    const std::string number = std::to_string(1000 + i);
    return "SM" + std::string(32 - number.size(), '0') + number;
  }
  // Accepted attempts whose first lookup is due. Returns their SIDs.
  std::vector<std::string> SentAndDue(size_t count) {
    std::vector<std::string> sids;
    for (size_t i = 0; i < count; ++i) {
      sids.push_back(SidOf(i));
      Sent(sids.back());
      clock.Advance(std::chrono::milliseconds(20));  // the sender's rate
    }
    clock.Advance(minutes(10));
    return sids;
  }
  records::v1::Event Last() const { return Events().back(); }

  FakeProviderLookup provider_lookup;
  CallbackHandler callback_handler{v1::CHANNEL_SMS, {clock, claims, log, log_history, topics}, {}};
  ManualScheduler scheduler{clock};
  Micros slept{};  // by the last run
  Reconciliation reconciliation{
      v1::CHANNEL_SMS,
      {clock, scheduler, registry, claims, provider_lookup, callback_handler, log, topics, probe},
      {}};
};

TEST_F(ReconciliationTest, FetchesNothingBeforeTheInitialDelay) {
  Sent();
  clock.Advance(minutes(10) - seconds(1));
  EXPECT_EQ(Run(), 0u);
  EXPECT_THAT(provider_lookup.requested, IsEmpty());
}

TEST_F(ReconciliationTest, PublishesAFinalStatusWithoutACallback) {
  const records::v1::WorkRecord work = Sent();
  SetRecord(v1::ATTEMPT_STATUS_DELIVERED);
  clock.Advance(minutes(10));
  EXPECT_EQ(Run(), 1u);
  EXPECT_EQ(Last().attempt_changed().status(), v1::ATTEMPT_STATUS_DELIVERED);
  EXPECT_EQ(Last().attempt_changed().provider_sid(), kSid);
  EXPECT_EQ(Last().attempt().alert_id(), work.attempt().alert_id());
  EXPECT_EQ(Last().client_id(), "demo");
  EXPECT_NE(Last().attempt_changed().note().find("no callback arrived"), std::string::npos);
  EXPECT_THAT(probe.Findings(), ElementsAre(Finding::kEnd));
}

TEST_F(ReconciliationTest, PublishesThePriceOnceAndFetchesNoMore) {  // L3
  Sent();
  SetRecord(v1::ATTEMPT_STATUS_DELIVERED, 7'500);
  clock.Advance(minutes(10));
  Run();
  const size_t events = Events().size();
  EXPECT_EQ(Events()[events - 2].attempt_priced().price().micros(), 7'500);
  EXPECT_EQ(Events()[events - 2].attempt_priced().segment_count(), 1);
  clock.Advance(hours(24));
  EXPECT_EQ(Run(), 0u);
  EXPECT_THAT(Events(), SizeIs(events));
}

TEST_F(ReconciliationTest, PublishesOnlyThePriceAfterACallbackWithTheFinalStatus) {
  const records::v1::WorkRecord work = Sent();
  records::v1::AttemptResult callback = FakeProvider::Accepted(kSid);
  callback.set_resolved_by(v1::RESOLVED_BY_CALLBACK);
  callback.set_status(v1::ATTEMPT_STATUS_DELIVERED);
  ASSERT_TRUE(Await(claims.SaveResult(work.attempt(), kNoFence, callback)));
  const size_t events = Events().size();
  SetRecord(v1::ATTEMPT_STATUS_DELIVERED, 7'500);
  clock.Advance(minutes(10));
  Run();
  ASSERT_THAT(Events(), SizeIs(events + 1));
  EXPECT_TRUE(Last().has_attempt_priced());
  EXPECT_THAT(probe.Findings(), ElementsAre(Finding::kPrice));
}

TEST_F(ReconciliationTest, FetchesAtGrowingIntervalsWhileNothingIsKnown) {
  Sent();
  SetRecord(v1::ATTEMPT_STATUS_SENT);
  std::vector<std::int64_t> minutes_after;
  const WallTime begin = clock.Now();
  while (probe.Findings().empty() || probe.Findings().back() == Finding::kNothing) {
    clock.Advance(minutes(1));
    if (Run() > 0)
      minutes_after.push_back(std::chrono::floor<minutes>(clock.Now() - begin).count());
  }
  // A validity of ten hours and a grace period of one hour.
  EXPECT_THAT(minutes_after, ElementsAre(10, 20, 40, 80, 160, 320, 640, 660));
  EXPECT_EQ(Last().attempt_changed().status(), v1::ATTEMPT_STATUS_SENT_UNCONFIRMED);
  EXPECT_EQ(Last().time_us(), ToUnixMicros(begin + hours(11)));
}

TEST_F(ReconciliationTest, EndsUnconfirmedWhenTheProviderDoesNotKnowTheSid) {
  records::v1::WorkRecord work = Sent();
  clock.Advance(hours(11));
  Run();
  EXPECT_EQ(Last().attempt_changed().status(), v1::ATTEMPT_STATUS_SENT_UNCONFIRMED);
  EXPECT_THAT(probe.Findings(), ElementsAre(Finding::kUnconfirmed));
}

TEST_F(ReconciliationTest, RetriesAFailedDeliveryAsItsCallbackWould) {  // R2
  const records::v1::WorkRecord work = Sent();
  SetRecord(v1::ATTEMPT_STATUS_UNDELIVERED);
  provider_lookup.records[kSid].error_class = records::v1::PROVIDER_ERROR_CLASS_TRANSIENT_DELIVERY;
  clock.Advance(minutes(10));
  Run();
  ASSERT_FALSE(log.Records().empty());
  EXPECT_EQ(Last().attempt_changed().status(), v1::ATTEMPT_STATUS_UNDELIVERED);
  EXPECT_EQ(Last().attempt_changed().next_attempt(), 2);
  const auto lane =
      log.On<records::v1::WorkRecord>(topics.Lane(v1::CHANNEL_SMS, v1::PRIORITY_NORMAL));
  ASSERT_THAT(lane, SizeIs(1));  // the retry delay is over
  EXPECT_EQ(lane[0].attempt().attempt(), 2);
  EXPECT_EQ(lane[0].attempt().alert_id(), work.attempt().alert_id());
}

TEST_F(ReconciliationTest, PublishesIdenticalBytesForARepeatedLookup) {  // R1
  Sent();
  SetRecord(v1::ATTEMPT_STATUS_DELIVERED, 7'500);
  clock.Advance(minutes(10));
  const auto due = Await(claims.FindDue(v1::CHANNEL_SMS, clock.Now(), 10));
  ASSERT_TRUE(due);
  const auto first =
      Reconcile(v1::CHANNEL_SMS, due->due[0], provider_lookup.records[kSid], {}, clock.Now());
  clock.Advance(minutes(5));
  const auto again =
      Reconcile(v1::CHANNEL_SMS, due->due[0], provider_lookup.records[kSid], {}, clock.Now());
  ASSERT_THAT(first.events, SizeIs(2));
  for (size_t i = 0; i < first.events.size(); ++i)
    EXPECT_EQ(first.events[i].SerializeAsString(), again.events[i].SerializeAsString());
}

TEST_F(ReconciliationTest, GivesUpOnAMissingPrice) {
  Sent();
  SetRecord(v1::ATTEMPT_STATUS_DELIVERED);
  for (int hour = 0; hour < 60; ++hour) {
    clock.Advance(hours(1));
    Run();
  }
  EXPECT_EQ(probe.Findings().back(), Finding::kGivenUp);
  EXPECT_TRUE(Await(claims.FindDue(v1::CHANNEL_SMS, clock.Now() + hours(24), 10))->due.empty());
}

TEST_F(ReconciliationTest, RequestsNoMoreFromAnAccountThatDoesNotRespond) {
  for (size_t i = 0; i < kMaxFailuresInARow + 2; ++i) Sent(SidOf(i));
  provider_lookup.unavailable = true;
  clock.Advance(minutes(10));
  EXPECT_EQ(Run(), kMaxFailuresInARow);
  EXPECT_THAT(provider_lookup.requested, SizeIs(kMaxFailuresInARow));
  provider_lookup.unavailable = false;
  EXPECT_EQ(Run(), 0u);
  clock.Advance(kAfterFailure);
  EXPECT_EQ(Run(), kMaxFailuresInARow + 2);
}

TEST_F(ReconciliationTest, AnAccountThatDoesNotRespondDoesNotDelayOthers) {  // S3
  AddSender("other", "AC00000000000000000000000000000002");
  for (size_t i = 0; i < kMaxFailuresInARow + 2; ++i) {
    Sent(SidOf(i));
    provider_lookup.unavailable_sids.insert(SidOf(i));
  }
  Sent(kSid, "other");
  SetRecord(v1::ATTEMPT_STATUS_DELIVERED);
  clock.Advance(minutes(10));
  EXPECT_EQ(Run(), kMaxFailuresInARow + 1);
  EXPECT_EQ(Last().attempt_changed().provider_sid(), kSid);
  EXPECT_EQ(Last().attempt_changed().status(), v1::ATTEMPT_STATUS_DELIVERED);
}

TEST_F(ReconciliationTest, GivesAttemptsUpIfTheirAccountDoesNotRespondForLong) {  // R1
  for (size_t i = 0; i < kMaxFailuresInARow + 2; ++i) Sent(SidOf(i));
  provider_lookup.unavailable = true;
  clock.Advance(hours(10) + ReconcileSchedule().grace + kMaxUnreachable - minutes(2));
  Run();
  EXPECT_THAT(probe.Findings(), IsEmpty());
  clock.Advance(minutes(3));
  Run();
  EXPECT_THAT(probe.Findings(), SizeIs(kMaxFailuresInARow + 2));
  EXPECT_THAT(probe.Findings(), Each(Finding::kUnconfirmed));
  EXPECT_EQ(Last().attempt_changed().status(), v1::ATTEMPT_STATUS_SENT_UNCONFIRMED);
}

TEST_F(ReconciliationTest, AnUnreachableAccountDoesNotDelayOthers) {  // S3
  const std::string unreachable = "SM0000000000000000000000000000000a";
  const std::string reachable = "SM0000000000000000000000000000000b";
  Sent(unreachable);
  Sent(reachable);
  provider_lookup.unavailable_sids.insert(unreachable);
  provider_lookup.records[reachable] = ARecord(v1::ATTEMPT_STATUS_DELIVERED);
  clock.Advance(minutes(10));
  EXPECT_EQ(Run(), 2u);
  EXPECT_EQ(Last().attempt_changed().provider_sid(), reachable);
  EXPECT_EQ(Last().attempt_changed().status(), v1::ATTEMPT_STATUS_DELIVERED);
}

TEST_F(ReconciliationTest, LimitsTheRateAndTheLengthOfARun) {
  SentAndDue(kRequestsPerRun + 5);
  EXPECT_EQ(Run(), kRequestsPerRun - 1);  // and a page of a list, which is empty
  EXPECT_EQ(slept, (kRequestsPerRun - 1) * std::chrono::milliseconds(100));
  EXPECT_EQ(Run(), 6u);
}

TEST_F(ReconciliationTest, FetchesAttemptsWithoutAFinalStatusBeforePrices) {  // S3
  std::vector<records::v1::WorkRecord> works;
  for (const char last : {'1', '2', '3'})
    works.push_back(Sent("SM0000000000000000000000000000000" + std::string(1, last)));
  records::v1::AttemptResult callback =
      FakeProvider::Accepted("SM00000000000000000000000000000001");
  callback.set_resolved_by(v1::RESOLVED_BY_CALLBACK);
  callback.set_status(v1::ATTEMPT_STATUS_DELIVERED);
  ASSERT_TRUE(Await(claims.SaveResult(works[0].attempt(), kNoFence, callback)));
  clock.Advance(minutes(10));
  EXPECT_EQ(Run(), 3u);
  EXPECT_THAT(provider_lookup.requested, ElementsAre("SM00000000000000000000000000000002",
                                                     "SM00000000000000000000000000000003",
                                                     "SM00000000000000000000000000000001"));
}

TEST_F(ReconciliationTest, ReadsOneListInsteadOfManyFetches) {  // S3
  const WallTime begin = clock.Now();
  const auto sids = SentAndDue(300);
  for (const std::string& sid : sids)
    provider_lookup.records[sid] = ARecord(v1::ATTEMPT_STATUS_DELIVERED);
  provider_lookup.pages = {{sids.begin(), sids.begin() + 200}, {sids.begin() + 200, sids.end()}};
  EXPECT_EQ(Run(), 300u);
  EXPECT_THAT(provider_lookup.requested, IsEmpty());
  EXPECT_EQ(provider_lookup.pages_requested, 2);
  EXPECT_LE(provider_lookup.windows[0].from, begin);
  EXPECT_GE(provider_lookup.windows[0].until, begin + std::chrono::milliseconds(20) * 300);
  EXPECT_EQ(slept, std::chrono::milliseconds(100));
  EXPECT_EQ(std::ranges::count(probe.Findings(), Finding::kEnd), 300);
}

TEST_F(ReconciliationTest, FetchesBySidWhatTheListDoesNotContain) {  // S3
  const auto sids = SentAndDue(20);
  for (const std::string& sid : sids)
    provider_lookup.records[sid] = ARecord(v1::ATTEMPT_STATUS_DELIVERED);
  provider_lookup.pages = {{sids.begin() + 1, sids.end()}};
  EXPECT_EQ(Run(), 20u);
  EXPECT_THAT(provider_lookup.requested, ElementsAre(sids[0]));
  EXPECT_EQ(std::ranges::count(probe.Findings(), Finding::kEnd), 20);
}

TEST_F(ReconciliationTest, NeverGivesUpBecauseOfAList) {  // S3
  const auto sids = SentAndDue(20);
  for (const std::string& sid : sids)
    provider_lookup.records[sid] = ARecord(v1::ATTEMPT_STATUS_SENT);
  provider_lookup.pages = {sids};
  clock.Advance(hours(11));  // without a final status they are unconfirmed now
  EXPECT_EQ(Run(), 20u);
  EXPECT_THAT(provider_lookup.requested, SizeIs(20));
  EXPECT_EQ(std::ranges::count(probe.Findings(), Finding::kUnconfirmed), 20);
}

TEST_F(ReconciliationTest, ReadsNoFurtherPageOfAListWithFewOfItsAttempts) {
  const auto sids = SentAndDue(20);
  for (const std::string& sid : sids)
    provider_lookup.records[sid] = ARecord(v1::ATTEMPT_STATUS_DELIVERED);
  provider_lookup.pages = {{sids[0]}, {sids.begin() + 1, sids.end()}};
  EXPECT_EQ(Run(), 20u);
  EXPECT_EQ(provider_lookup.pages_requested, 1);
  EXPECT_THAT(provider_lookup.requested, SizeIs(19));
}

TEST_F(ReconciliationTest, FetchesWhenTheListIsUnavailable) {
  const auto sids = SentAndDue(20);
  for (const std::string& sid : sids)
    provider_lookup.records[sid] = ARecord(v1::ATTEMPT_STATUS_DELIVERED);
  provider_lookup.lists_unavailable = true;
  EXPECT_EQ(Run(), 20u);
  EXPECT_THAT(probe.Errors(), ElementsAre(ErrorCode::kTwilioApiError));
  EXPECT_EQ(std::ranges::count(probe.Findings(), Finding::kEnd), 20);
}

TEST_F(ReconciliationTest, SavesNoLookupBeforeItsEventsAreOnDisk) {  // R1
  Sent();
  SetRecord(v1::ATTEMPT_STATUS_DELIVERED, 7'500);
  clock.Advance(minutes(10));
  log.SetOutcome(PublishOutcome::kNotPersisted);
  EXPECT_FALSE(RunOnce());
  log.SetOutcome(PublishOutcome::kPersisted);
  EXPECT_EQ(Run(), 1u);
  EXPECT_THAT(probe.Findings(), ElementsAre(Finding::kEnd));
}

}  // namespace
}  // namespace tocsin
