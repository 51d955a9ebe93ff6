// Restoring claims from the log. R1, R4
#include "common/delivery/claim_restoration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>

#include "common/domain/delivery/follow_up.h"
#include "tests/fakes/claim_restorer.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/record_history.h"

namespace tocsin {
namespace {

using std::chrono::minutes;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr Micros kNoStartDelay{-2'000'000};  // cancels the allowance for clock skew

// Collects what a restoration reports, and waits for it.
class CollectingProbe final : public DeliveryProbe {
 public:
  void OnClaimsUsable(bool usable) override { usable_ = usable; }
  void OnClaimsRestored(size_t count, bool complete) override {
    (complete ? further : recent) += count;
  }
  void OnDependencyError(const Error&) override { ++errors; }
  bool usable() const { return usable_; }

  std::atomic<int> errors{0};
  std::atomic<size_t> recent{0};   // records that were restored
  std::atomic<size_t> further{0};  // and after them

 private:
  std::atomic<bool> usable_ = false;
};

// Records are published while it is read.
class GrowingHistory final : public RecordHistory {
 public:
  void Add(IncomingRecord record) { history_.records.push_back(std::move(record)); }
  void AddAfterFirstReading(IncomingRecord record) { later_.push_back(std::move(record)); }
  int readings() const { return readings_; }  // for claims

  Status Read(const std::vector<std::string>& topics, WallTime from, const Handle& handle,
              std::stop_token stop) override {
    const std::lock_guard lock(mutex_);
    const Status read = history_.Read(topics, from, handle, stop);
    if (topics.size() == 1) return read;  // whether the log is empty
    ++readings_;
    for (IncomingRecord& record : std::exchange(later_, {})) Add(std::move(record));
    return read;
  }
  Status ReadTo(const records::v1::Position&, WallTime, SteadyTime, const Handle&) override {
    return {};
  }
  Status ReadKey(const std::string&, const std::string&, WallTime, SteadyTime,
                 const Handle&) override {
    return {};
  }
  Result<std::optional<IncomingRecord>> At(const records::v1::Position&) override {
    return std::optional<IncomingRecord>();
  }

 private:
  std::mutex mutex_;
  FakeRecordHistory history_;
  std::vector<IncomingRecord> later_;
  std::atomic<int> readings_ = 0;
};

class ClaimRestorationTest : public testing::Test {
 protected:
  IncomingRecord AStart(std::int32_t number, Micros ago) {
    records::v1::WorkRecord work;
    work.mutable_attempt()->set_alert_id("0190aaaa-0000-7000-8000-000000000000");
    work.mutable_attempt()->set_step(1);
    work.mutable_attempt()->set_attempt(number);
    IncomingRecord record;
    record.position.set_topic(topics.Events());
    record.position.set_offset(number);
    record.value = AttemptStarted(work, 1, 2, "main", "AC").SerializeAsString();
    record.append_time = clock.Now() - ago;
    return record;
  }
  void AddStart(std::int32_t number, Micros ago) { history.Add(AStart(number, ago)); }
  std::unique_ptr<ClaimRestoration> Start() { return StartWith(restorer, probe); }
  std::unique_ptr<ClaimRestoration> StartWith(ClaimRestorer& by, DeliveryProbe& reporting) {
    return std::make_unique<ClaimRestoration>(
        ClaimRestoration::Parts{clock, by, history, topics, reporting}, kNoStartDelay);
  }
  // False if it takes more than 30 s.
  template <typename Condition>
  static bool Eventually(const Condition& condition) {
    const SteadyTime deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
  }
  static bool IsComplete(const FakeClaimRestorer& of) {
    return of.CompleteSince() == WallTime::min();
  }
  void Run() {
    const auto restoration = Start();
    EXPECT_TRUE(Eventually([&] { return IsComplete(restorer); }));
  }
  WallTime RecentSince() const { return clock.Now() - kRecentWindow; }

  ManualClock clock;
  Topics topics;
  FakeClaimRestorer::Store store;
  FakeClaimRestorer restorer{store};
  FakeClaimRestorer other{store};  // of another process
  GrowingHistory history;
  CollectingProbe probe;
  CollectingProbe other_probe;
};

TEST_F(ClaimRestorationTest, RestoresTheRecentWindowFirst) {
  AddStart(1, minutes(60));
  AddStart(2, minutes(1));
  Run();
  EXPECT_THAT(store.Restored(), ElementsAre(2, 1));
  EXPECT_THAT(restorer.Adopted(), ElementsAre(RecentSince(), WallTime::min()));
  EXPECT_TRUE(store.Epoch().restored);
  EXPECT_EQ(probe.recent, 1u);
  EXPECT_EQ(probe.further, 1u);
}

// Between the two readings, and with any timestamp: it is not among those that were read.
TEST_F(ClaimRestorationTest, RestoresWhatIsPublishedAfterTheFirstReading) {
  AddStart(1, minutes(60));
  AddStart(2, minutes(1));
  history.AddAfterFirstReading(AStart(3, Micros(0)));
  history.AddAfterFirstReading(AStart(4, minutes(2)));
  Run();
  EXPECT_THAT(store.Restored(), ElementsAre(2, 1, 3, 4));
}

TEST_F(ClaimRestorationTest, RestoresNothingFromAnEmptyLog) {
  Run();
  EXPECT_THAT(store.Restored(), IsEmpty());
  EXPECT_TRUE(store.Epoch().restored);
}

TEST_F(ClaimRestorationTest, RetriesWhenTheStoreFails) {
  AddStart(1, minutes(1));
  store.FailRestores(1);
  Run();
  EXPECT_EQ(probe.errors, 1);
  EXPECT_THAT(store.Restored(), ElementsAre(1));
}

// A slow store is restored too, however long the log is.
TEST_F(ClaimRestorationTest, RepeatsAFailedBatchWithoutReadingTheLogAgain) {
  AddStart(1, minutes(1));
  store.FailRestores(3);
  Run();
  EXPECT_EQ(history.readings(), 2);
  EXPECT_THAT(store.Restored(), ElementsAre(1));
}

TEST_F(ClaimRestorationTest, BeginsAgainIfTheStoreFailsForLonger) {
  AddStart(1, minutes(1));
  store.FailRestores(7);
  Run();
  EXPECT_EQ(history.readings(), 3);
  EXPECT_THAT(store.Restored(), ElementsAre(1));
}

TEST_F(ClaimRestorationTest, OneProcessRestoresForAll) {
  AddStart(1, minutes(60));
  AddStart(2, minutes(1));
  const auto restoration = Start();
  const auto waiting = StartWith(other, other_probe);
  EXPECT_TRUE(Eventually([&] { return IsComplete(restorer) && IsComplete(other); }));
  EXPECT_THAT(store.Restored(), ElementsAre(2, 1));
  EXPECT_EQ(history.readings(), 2);
  EXPECT_TRUE(probe.usable());
  EXPECT_TRUE(other_probe.usable());
}

TEST_F(ClaimRestorationTest, UsesTheRecentWindowThatAnotherProcessRestored) {
  AddStart(1, minutes(60));
  ASSERT_TRUE(*other.HoldLease(store.Epoch()));
  const auto restoration = Start();
  const WallTime since = clock.Now() - minutes(14);
  ASSERT_TRUE(other.MarkRecentRestored(store.Epoch(), since));
  EXPECT_TRUE(Eventually([&] { return probe.usable(); }));
  EXPECT_THAT(restorer.Adopted(), ElementsAre(since));
  EXPECT_THAT(store.Restored(), IsEmpty());
  ASSERT_TRUE(other.MarkRestored(store.Epoch()));
  EXPECT_TRUE(Eventually([&] { return IsComplete(restorer); }));
  EXPECT_EQ(history.readings(), 0);
}

// What is older than the window waits before the epoch is used: a claim that was requested while
// everything was restored would be granted.
TEST_F(ClaimRestorationTest, HoldsOlderWorkBeforeItAdoptsTheEpoch) {
  AddStart(1, minutes(60));
  ASSERT_TRUE(*other.HoldLease(store.Epoch()));
  ASSERT_TRUE(other.MarkRecentRestored(store.Epoch(), RecentSince()));
  const auto restoration = Start();
  EXPECT_TRUE(Eventually([&] { return restorer.CompleteSince() == RecentSince(); }));
  EXPECT_THAT(restorer.Adopted(), IsEmpty());
  EXPECT_TRUE(Eventually([&] { return !restorer.Adopted().empty(); }));
}

TEST_F(ClaimRestorationTest, ContinuesWhenTheOtherProcessEnds) {
  AddStart(1, minutes(60));
  AddStart(2, minutes(1));
  ASSERT_TRUE(*other.HoldLease(store.Epoch()));
  const auto restoration = Start();
  ASSERT_TRUE(Eventually([&] { return store.RefusedLeases() >= 2; }));
  EXPECT_EQ(history.readings(), 0);
  store.ExpireLease();
  EXPECT_TRUE(Eventually([&] { return IsComplete(restorer); }));
  EXPECT_THAT(store.Restored(), ElementsAre(2, 1));
}

TEST_F(ClaimRestorationTest, ContinuesFromTheLevelThatIsReached) {
  AddStart(1, minutes(60));
  AddStart(2, minutes(1));
  const WallTime since = clock.Now() - minutes(14);
  ASSERT_TRUE(other.MarkRecentRestored(store.Epoch(), since));
  Run();
  EXPECT_EQ(history.readings(), 1);
  EXPECT_THAT(restorer.Adopted(), ElementsAre(since, WallTime::min()));
  EXPECT_THAT(store.Restored(), ElementsAre(1, 2));
}

TEST_F(ClaimRestorationTest, BeginsAgainAfterAnotherLoss) {
  AddStart(1, minutes(60));
  ASSERT_TRUE(*other.HoldLease(store.Epoch()));
  ASSERT_TRUE(other.MarkRecentRestored(store.Epoch(), RecentSince()));
  const auto restoration = Start();
  EXPECT_TRUE(Eventually([&] { return !restorer.Adopted().empty(); }));
  store.LoseData("newer");
  EXPECT_TRUE(Eventually([&] { return IsComplete(restorer); }));
  EXPECT_EQ(restorer.AdoptedEpoch(), "newer");
  EXPECT_THAT(store.Restored(), ElementsAre(1));
}

TEST_F(ClaimRestorationTest, StopsWhileItWaits) {
  AddStart(1, minutes(60));
  ASSERT_TRUE(*other.HoldLease(store.Epoch()));
  const SteadyTime begin = std::chrono::steady_clock::now();
  Start().reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  EXPECT_EQ(probe.errors, 0);
}

TEST(RestorationLeaseTest, EndsWhenAnotherProcessHasIt) {
  FakeClaimRestorer::Store store;
  FakeClaimRestorer restorer(store);
  FakeClaimRestorer other(store);
  const auto lease = *RestorationLease::Acquire(restorer, store.Epoch(), {});
  ASSERT_NE(lease, nullptr);
  EXPECT_EQ(*RestorationLease::Acquire(other, store.Epoch(), {}), nullptr);
  store.ExpireLease();
  ASSERT_TRUE(*other.HoldLease(store.Epoch()));
  const SteadyTime deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!lease->Lost() && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_TRUE(lease->Lost());
  EXPECT_TRUE(lease->Ended().stop_requested());
}

TEST(RestorationLeaseTest, IsReleasedForTheNextProcess) {
  FakeClaimRestorer::Store store;
  FakeClaimRestorer restorer(store);
  FakeClaimRestorer other(store);
  RestorationLease::Acquire(restorer, store.Epoch(), {})->reset();
  EXPECT_TRUE(*other.HoldLease(store.Epoch()));
}

TEST(ReadOffsetsTest, ContainTheRecordsOfOneReading) {
  const auto position = [](const char* topic, std::int32_t partition, std::int64_t offset) {
    records::v1::Position at;
    at.set_topic(topic);
    at.set_partition(partition);
    at.set_offset(offset);
    return at;
  };
  ReadOffsets offsets;
  EXPECT_FALSE(offsets.Contains(position("events", 1, 7)));
  offsets.Add(position("events", 1, 7));
  offsets.Add(position("events", 1, 9));
  EXPECT_FALSE(offsets.Contains(position("events", 1, 6)));
  EXPECT_TRUE(offsets.Contains(position("events", 1, 7)));
  EXPECT_TRUE(offsets.Contains(position("events", 1, 9)));
  EXPECT_FALSE(offsets.Contains(position("events", 1, 10)));
  EXPECT_FALSE(offsets.Contains(position("events", 2, 8)));
  EXPECT_FALSE(offsets.Contains(position("webhooks", 1, 8)));
}

TEST(KnownAttemptTest, ReportsStartsResultsAndMarksOnly) {
  records::v1::Event event;
  event.mutable_attempt()->set_attempt(1);
  EXPECT_FALSE(KnownAttemptOf(event));
  records::v1::AttemptChanged& changed = *event.mutable_attempt_changed();
  changed.set_status(v1::ATTEMPT_STATUS_SENDING);
  changed.set_lease_expire_time_us(9);
  EXPECT_EQ(KnownAttemptOf(event)->lease_until, FromUnixMicros(9));
  changed.set_status(v1::ATTEMPT_STATUS_FAILED);
  changed.set_reason("IN_DOUBT");
  EXPECT_TRUE(IsUnresolved(KnownAttemptOf(event)->result));
  changed.set_reason("RATE_LIMIT_EXCEEDED");
  EXPECT_EQ(KnownAttemptOf(event)->result.outcome(), records::v1::ATTEMPT_OUTCOME_RATE_LIMITED);
  changed.set_reason("TWILIO_API_ERROR");
  EXPECT_EQ(KnownAttemptOf(event)->result.outcome(), records::v1::ATTEMPT_OUTCOME_NOT_SENT);
  changed.set_provider_code(21614);
  EXPECT_EQ(KnownAttemptOf(event)->result.outcome(), records::v1::ATTEMPT_OUTCOME_REFUSED);
  changed.set_provider_sid("SM1");  // it failed after acceptance
  EXPECT_EQ(KnownAttemptOf(event)->result.outcome(), records::v1::ATTEMPT_OUTCOME_ACCEPTED);
  EXPECT_FALSE(KnownAttemptOf(event)->undelivered_time) << "found in Twilio's records";
  changed.set_last(true);
  EXPECT_EQ(KnownAttemptOf(event)->undelivered_time, FromUnixMicros(event.time_us()));
  changed.set_last(false);
  changed.clear_provider_sid();
  changed.set_status(v1::ATTEMPT_STATUS_QUEUED);
  EXPECT_FALSE(KnownAttemptOf(event));
  changed.set_status(v1::ATTEMPT_STATUS_FAILED);
  changed.set_next_due_time_us(event.time_us() + 7);  // the same delay again
  EXPECT_EQ(KnownAttemptOf(event)->result.retry_after_us(), 7);
  event.mutable_cancel_requested();
  EXPECT_EQ(KnownAttemptOf(event)->mark->kind, KnownMark::Kind::kCancelled);
  event.mutable_acknowledged()->set_actor_id("ann");
  EXPECT_EQ(KnownAttemptOf(event)->mark->kind, KnownMark::Kind::kAcknowledged);
  EXPECT_EQ(KnownAttemptOf(event)->mark->actor_id, "ann");
  event.mutable_acknowledged()->set_step(2);
  event.mutable_acknowledged()->set_evidence("a digest");
  EXPECT_EQ(KnownAttemptOf(event)->mark->step, 2);
  EXPECT_EQ(KnownAttemptOf(event)->mark->evidence, "a digest");
}

}  // namespace
}  // namespace tocsin
