// Restoring claims from the log. R1, R4
#include "common/delivery/claim_restoration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <mutex>

#include "common/domain/delivery/follow_up.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/record_history.h"

namespace tocsin {
namespace {

using std::chrono::minutes;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr Micros kNoStartDelay{-2'000'000};  // cancels the allowance for clock skew

// Records what it restores.
class FakeRestorer final : public ClaimRestorer {
 public:
  Result<StoreEpoch> FindEpoch() override {
    const std::lock_guard lock(mutex);
    ++runs;
    return epoch;
  }
  Status Restore(const StoreEpoch&, std::span<const KnownAttempt> attempts) override {
    const std::lock_guard lock(mutex);
    if (failures > 0) {
      --failures;
      return Fail(ErrorCode::kRedisUnavailable, "the store does not respond");
    }
    for (const KnownAttempt& known : attempts) restored.push_back(known.name.attempt());
    return {};
  }
  void Adopt(const StoreEpoch&, WallTime complete_since) override {
    const std::lock_guard lock(mutex);
    adopted.emplace_back(complete_since, restored.size());
  }
  Status MarkRestored(const StoreEpoch&) override {
    const std::lock_guard lock(mutex);
    epoch.restored = true;
    return {};
  }

  std::mutex mutex;
  StoreEpoch epoch{.id = "new", .restored = false};
  int failures = 0;
  int runs = 0;  // restorations that were begun
  std::vector<std::int32_t> restored;
  std::vector<std::pair<WallTime, size_t>> adopted;  // with the number of attempts restored before
};

// Waits until everything is restored.
class WaitingProbe final : public DeliveryProbe {
 public:
  void OnClaimsRestored(size_t, bool complete) override {
    if (complete && !std::exchange(done_, true)) complete_.set_value();
  }
  void OnDependencyError(const Error&) override { ++errors; }
  void Wait() { complete_.get_future().wait(); }

  std::atomic<int> errors{0};

 private:
  bool done_ = false;
  std::promise<void> complete_;
};

class ClaimRestorationTest : public testing::Test {
 protected:
  void AddStart(std::int32_t number, Micros ago) {
    records::v1::WorkRecord work;
    work.mutable_attempt()->set_alert_id("0190aaaa-0000-7000-8000-000000000000");
    work.mutable_attempt()->set_step(1);
    work.mutable_attempt()->set_attempt(number);
    IncomingRecord record;
    record.position.set_topic(topics.Events());
    record.value = AttemptStarted(work, 1, 2, "main", "AC").SerializeAsString();
    record.append_time = clock.Now() - ago;
    history.records.push_back(record);
  }
  void Run() {
    const ClaimRestoration restoration({clock, restorer, history, topics, probe}, kNoStartDelay);
    probe.Wait();
  }

  ManualClock clock;
  Topics topics;
  FakeRestorer restorer;
  FakeRecordHistory history;
  WaitingProbe probe;
};

TEST_F(ClaimRestorationTest, RestoresTheRecentWindowFirst) {
  AddStart(1, minutes(60));
  AddStart(2, minutes(1));
  Run();
  EXPECT_THAT(restorer.restored, ElementsAre(2, 1, 2));
  ASSERT_EQ(restorer.adopted.size(), 2u);
  EXPECT_EQ(restorer.adopted[0], std::pair(clock.Now() - kRecentWindow, size_t{1}));
  EXPECT_EQ(restorer.adopted[1], std::pair(WallTime::min(), size_t{3}));
  EXPECT_TRUE(restorer.epoch.restored);
}

TEST_F(ClaimRestorationTest, RestoresNothingFromAnEmptyLog) {
  Run();
  EXPECT_THAT(restorer.restored, IsEmpty());
  EXPECT_EQ(restorer.adopted.back().first, WallTime::min());
}

TEST_F(ClaimRestorationTest, RetriesWhenTheStoreFails) {
  AddStart(1, minutes(1));
  restorer.failures = 1;
  Run();
  EXPECT_EQ(probe.errors, 1);
  EXPECT_THAT(restorer.restored, ElementsAre(1, 1));
}

// A slow store is restored too, however long the log is.
TEST_F(ClaimRestorationTest, RepeatsAFailedBatchWithoutReadingTheLogAgain) {
  AddStart(1, minutes(1));
  restorer.failures = 3;
  Run();
  EXPECT_EQ(restorer.runs, 1);
  EXPECT_THAT(restorer.restored, ElementsAre(1, 1));
}

TEST_F(ClaimRestorationTest, BeginsAgainIfTheStoreFailsForLonger) {
  AddStart(1, minutes(1));
  restorer.failures = 7;
  Run();
  EXPECT_EQ(restorer.runs, 2);
  EXPECT_THAT(restorer.restored, ElementsAre(1, 1));
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
