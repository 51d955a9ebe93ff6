// Restoring claims from the log: R1, R4.
#include "common/delivery/claims_rebuild.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <mutex>

#include "common/domain/settlement.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/record_history.h"

namespace tocsin {
namespace {

using std::chrono::minutes;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr Micros kNoWait{-2'000'000};  // in flight for less than the clock's grain

// Remembers what it is told.
class ToldMemory final : public ClaimMemory {
 public:
  Result<StoreMemory> Find() override {
    const std::lock_guard lock(mutex);
    return stands;
  }
  Status Restore(const StoreMemory&, std::span<const KnownTry> tries) override {
    const std::lock_guard lock(mutex);
    if (failures > 0) {
      --failures;
      return Fail(ErrorCode::kRedisUnavailable, "the store does not answer");
    }
    for (const KnownTry& known : tries) told.push_back(known.name.try_());
    return {};
  }
  void Adopt(const StoreMemory&, WallTime known_since) override {
    const std::lock_guard lock(mutex);
    adopted.emplace_back(known_since, told.size());
  }
  Status SayWhole(const StoreMemory&) override {
    const std::lock_guard lock(mutex);
    stands.whole = true;
    return {};
  }

  std::mutex mutex;
  StoreMemory stands{.epoch = "new", .whole = false};
  int failures = 0;
  std::vector<std::uint32_t> told;
  std::vector<std::pair<WallTime, size_t>> adopted;  // with how much had been told by then
};

class ClaimsRebuildTest : public testing::Test {
 protected:
  void Say(std::uint32_t number, Micros ago) {
    v1::WorkRecord work;
    work.mutable_try_()->set_alert_id("0190aaaa-0000-7000-8000-000000000000");
    work.mutable_try_()->set_step(1);
    work.mutable_try_()->set_try_(number);
    IncomingRecord record;
    record.position.set_topic(topics.Events());
    record.value = TryStarted(work, 1, 2, "main", "AC").SerializeAsString();
    record.append_time = clock.Now() - ago;
    history.records.push_back(record);
  }
  // Runs until the memory is whole.
  void Run() {
    std::promise<void> whole;
    const ClaimsRebuild rebuild({clock, memory, history, topics}, kNoWait,
                                {.known = [](bool) {},
                                 .restored =
                                     [&, once = false](size_t, bool is_whole) mutable {
                                       if (is_whole && !std::exchange(once, true))
                                         whole.set_value();
                                     },
                                 .failed = [this](const Error&) { ++failed; }});
    whole.get_future().wait();
  }

  ManualClock clock;
  Topics topics;
  ToldMemory memory;
  FakeRecordHistory history;
  std::atomic<int> failed{0};
};

TEST_F(ClaimsRebuildTest, RestoresWhatIsYoungBeforeItLetsAnythingRun) {
  Say(1, minutes(60));
  Say(2, minutes(1));
  Run();
  EXPECT_THAT(memory.told, ElementsAre(2, 1, 2));
  ASSERT_EQ(memory.adopted.size(), 2u);
  EXPECT_EQ(memory.adopted[0], std::pair(clock.Now() - kYoung, size_t{1}));
  EXPECT_EQ(memory.adopted[1], std::pair(WallTime::min(), size_t{3}));
  EXPECT_TRUE(memory.stands.whole);
}

TEST_F(ClaimsRebuildTest, RestoresNothingOfALogThatWasNeverWritten) {
  Run();
  EXPECT_THAT(memory.told, IsEmpty());
  EXPECT_EQ(memory.adopted.back().first, WallTime::min());
}

TEST_F(ClaimsRebuildTest, TriesAgainWhenTheStoreFailsMeanwhile) {
  Say(1, minutes(1));
  memory.failures = 1;
  Run();
  EXPECT_EQ(failed, 1);
  EXPECT_THAT(memory.told, ElementsAre(1, 1));
}

TEST(KnownTryTest, TellsOfBeginsEndsAndProofAndOfNothingElse) {
  v1::Event event;
  event.mutable_try_()->set_try_(1);
  EXPECT_FALSE(KnownTryOf(event));
  v1::TryChanged& changed = *event.mutable_try_changed();
  changed.set_status(v1::TRY_STATUS_SENDING);
  changed.set_lease_until_us(9);
  EXPECT_EQ(KnownTryOf(event)->lease_until, FromUnixMicros(9));
  changed.set_status(v1::TRY_STATUS_FAILED);
  changed.set_reason("IN_DOUBT");
  EXPECT_TRUE(IsUnproven(KnownTryOf(event)->receipt));
  changed.set_reason("RATE_LIMIT_EXCEEDED");
  EXPECT_EQ(KnownTryOf(event)->receipt.outcome(), v1::RECEIPT_OUTCOME_RATE_LIMITED);
  changed.set_reason("TWILIO_API_ERROR");
  EXPECT_EQ(KnownTryOf(event)->receipt.outcome(), v1::RECEIPT_OUTCOME_NOT_SENT);
  changed.set_provider_code(21614);
  EXPECT_EQ(KnownTryOf(event)->receipt.outcome(), v1::RECEIPT_OUTCOME_REFUSED);
  changed.set_provider_sid("SM1");  // it failed after Twilio took it
  EXPECT_EQ(KnownTryOf(event)->receipt.outcome(), v1::RECEIPT_OUTCOME_ACCEPTED);
  changed.clear_provider_sid();
  changed.set_status(v1::TRY_STATUS_QUEUED);
  EXPECT_FALSE(KnownTryOf(event));
  changed.set_status(v1::TRY_STATUS_FAILED);
  changed.set_next_due_us(event.time_us() + 7);  // the wait that followed is to follow again
  EXPECT_EQ(KnownTryOf(event)->receipt.retry_after_us(), 7);
  event.mutable_cancel_requested();
  EXPECT_FALSE(KnownTryOf(event)->mark->acknowledged);
  event.mutable_acknowledged()->set_by("api");
  EXPECT_TRUE(KnownTryOf(event)->mark->acknowledged);
  EXPECT_EQ(KnownTryOf(event)->mark->by, "api");
}

}  // namespace
}  // namespace tocsin
