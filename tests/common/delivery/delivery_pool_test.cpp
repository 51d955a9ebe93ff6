#include "common/delivery/delivery_pool.h"

#include <atomic>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <optional>

#include "common/async/loop_thread.h"
#include "tests/common/delivery/delivery_fixture.h"
#include "tests/fakes/manual_scheduler.h"

namespace tocsin {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr size_t kEmergency = 0;
constexpr size_t kHigh = 1;
constexpr size_t kNormal = 2;
constexpr size_t kBulk = 3;

// Deliveries that the test ends one by one.
class DeliveryPoolTest : public testing::Test {
 protected:
  DeliveryPool::Deliver Manual() {
    return [this](const IncomingRecord& record) -> Task<Result<DeliveryResult>> {
      const auto start = [&](const Callback<Result<DeliveryResult>>& done) {
        started.push_back(record.key);
        in_progress.emplace(record.key, done);
      };
      co_return co_await AwaitCallback<Result<DeliveryResult>>(start);
    };
  }
  void End(const std::string& key, Result<DeliveryResult> result = DeliveryResult::kSent) {
    const auto done = in_progress.extract(key);
    ASSERT_FALSE(done.empty()) << key;
    done.mapped()(std::move(result));
    scheduler.Run();
  }
  bool Offer(DeliveryPool& pool, size_t lane, const std::string& key) {
    IncomingRecord record;
    record.key = key;
    const bool taken =
        pool.Offer(lane, std::move(record), [this, key] { finished.push_back(key); });
    scheduler.Run();
    return taken;
  }

  ManualClock clock;
  ManualScheduler scheduler{clock};
  FakeDeliveryProbe probe;
  std::vector<std::string> started;
  std::vector<std::string> finished;
  std::multimap<std::string, Callback<Result<DeliveryResult>>> in_progress;
};

TEST_F(DeliveryPoolTest, DeliversConcurrentlyAndFinishesEveryRecordOnce) {
  DeliveryPool pool(Manual(), {}, scheduler, probe);
  for (const char* key : {"a", "b", "c"}) ASSERT_TRUE(Offer(pool, kNormal, key));
  EXPECT_THAT(started, ElementsAre("a", "b", "c"));
  EXPECT_EQ(pool.InFlightCount(), 3u);
  for (const char* key : {"b", "c", "a"}) End(key);
  EXPECT_THAT(finished, ElementsAre("b", "c", "a"));
  EXPECT_EQ(pool.InFlightCount(), 0u);
}

// A callback that waits for the store must not stop the one that causes a retry without it.
TEST_F(DeliveryPoolTest, DeliveriesThatWaitForARetryTakeNoRoom) {  // R6
  DeliveryPool pool(Manual(), {.deliveries = 1, .reserved = 0, .retrying = 1}, scheduler, probe);
  for (const char* key : {"a", "b"}) {
    ASSERT_TRUE(Offer(pool, kNormal, key));
    End(key, Fail(ErrorCode::kRedisUnavailable, "down"));
  }
  ASSERT_TRUE(Offer(pool, kNormal, "c"));
  EXPECT_THAT(started, ElementsAre("a", "b")) << "only one of them";
  clock.Advance(seconds(1));
  scheduler.Run();
  EXPECT_THAT(started, ElementsAre("a", "b", "a", "b"));
  for (const char* key : {"a", "b"}) End(key);
  EXPECT_THAT(started, ElementsAre("a", "b", "a", "b", "c"));
}

TEST_F(DeliveryPoolTest, RefusesARecordWhenTheLaneIsFull) {  // bounded lanes
  DeliveryPool pool(Manual(), {.deliveries = 1, .reserved = 0, .lane_capacity = 2}, scheduler,
                    probe);
  for (const char* key : {"a", "b", "c"}) ASSERT_TRUE(Offer(pool, kNormal, key));
  IncomingRecord record;
  record.key = "d";
  EXPECT_FALSE(pool.Offer(kNormal, std::move(record), [] {}));
  EXPECT_EQ(record.key, "d");  // unchanged, to be offered again
  EXPECT_TRUE(Offer(pool, kHigh, "e"));
  EXPECT_EQ(pool.WaitingCount(kNormal), 2u);
}

TEST_F(DeliveryPoolTest, LeavesRoomForTheLanesOfHigherPriority) {  // A4
  DeliveryPool pool(Manual(), {.deliveries = 7, .reserved = 1}, scheduler, probe);
  const auto offer = [&](size_t lane, const std::string& prefix) {
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(Offer(pool, lane, prefix + std::to_string(i)));
  };
  offer(kBulk, "bulk");
  EXPECT_THAT(started, SizeIs(7));
  offer(kNormal, "normal");
  EXPECT_THAT(started, SizeIs(8));
  offer(kHigh, "high");
  EXPECT_THAT(started, SizeIs(9));
  offer(kEmergency, "emergency");
  EXPECT_THAT(started, SizeIs(10));
  End("bulk0");
  EXPECT_EQ(started.back(), "emergency1");
}

TEST_F(DeliveryPoolTest, RetriesARecordUntilItsDependenciesRespond) {  // R1, R6
  int failures = 0;
  probe.on_dependency_error = [&](const Error& error) {
    EXPECT_EQ(error.code, ErrorCode::kRedisUnavailable);
    ++failures;
  };
  DeliveryPool pool(Manual(), {}, scheduler, probe);
  ASSERT_TRUE(Offer(pool, kHigh, "a"));
  for (int i = 0; i < 3; ++i) {
    End("a", Fail(ErrorCode::kRedisUnavailable, "the store does not respond"));
    EXPECT_TRUE(pool.IsBlocked());
    ASSERT_TRUE(scheduler.RunNext());
  }
  EXPECT_EQ(failures, 3);
  EXPECT_THAT(finished, IsEmpty());
  End("a");
  EXPECT_THAT(started, SizeIs(4));
  EXPECT_THAT(finished, ElementsAre("a"));
  EXPECT_FALSE(pool.IsBlocked());
}

class DeliveryPoolStopTest : public DeliveryFixture {
 protected:
  DeliveryPool::Deliver ToPipeline() {
    return [this](const IncomingRecord& record) { return pipeline.Deliver(record); };
  }

  EventLoop loop;
};

TEST_F(DeliveryPoolStopTest, LeavesRecordsThatWaitForARetryUnfinished) {  // O8
  claims.SetDown(true);
  std::promise<void> failed;
  std::once_flag once;
  probe.on_dependency_error = [&](const Error&) {
    std::call_once(once, [&] { failed.set_value(); });
  };
  std::atomic<int> finished{0};
  DeliveryPool pool(ToPipeline(), {}, loop, probe);
  const LoopThread thread(loop);
  for (int i = 0; i < 5; ++i) pool.Offer(kNormal, RecordOf(AWork()), [&] { ++finished; });
  failed.get_future().wait();
  EXPECT_TRUE(pool.Stop(std::chrono::steady_clock::now() + seconds(10)));
  EXPECT_EQ(finished, 0);
  EXPECT_FALSE(pool.Offer(kNormal, RecordOf(AWork()), [] {}));
  EXPECT_EQ(pool.InFlightCount(), 0u);
}

TEST_F(DeliveryPoolStopTest, WaitsForDeliveriesInProgress) {  // O8
  std::optional<Callback<bool>> post;
  std::promise<void> posting;
  const auto deliver = [&](const IncomingRecord&) -> Task<Result<DeliveryResult>> {
    const auto start = [&](const Callback<bool>& done) {
      post = done;
      posting.set_value();
    };
    co_await AwaitCallback<bool>(start);
    co_return DeliveryResult::kSent;
  };
  std::atomic<int> finished{0};
  DeliveryPool pool(deliver, {}, loop, probe);
  const LoopThread thread(loop);
  pool.Offer(kNormal, RecordOf(AWork()), [&] { ++finished; });
  posting.get_future().wait();
  loop.Post([&] { loop.After(std::chrono::milliseconds(5), [&] { (*post)(true); }); });
  EXPECT_FALSE(pool.Stop(std::chrono::steady_clock::now()));  // after the deadline
  EXPECT_EQ(finished, 1);
}

}  // namespace
}  // namespace tocsin
