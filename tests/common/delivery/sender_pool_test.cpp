#include "common/delivery/sender_pool.h"

#include <atomic>
#include <latch>

#include "tests/common/delivery/delivery_fixture.h"

namespace tocsin {
namespace {

using std::chrono::seconds;

class SenderPoolTest : public DeliveryFixture {
 protected:
  static SteadyTime In(seconds time) { return std::chrono::steady_clock::now() + time; }
  IncomingRecord Work(std::int32_t step, v1::Priority priority = v1::PRIORITY_NORMAL) {
    records::v1::WorkRecord work = AWork();
    work.mutable_attempt()->set_step(step);
    work.set_priority(priority);
    provider.result =
        FakeProvider::Refused(records::v1::PROVIDER_ERROR_CLASS_PERMANENT_NUMBER, 21614);
    return RecordOf(work);
  }
  SenderPool::Deliver ToPipeline() {
    return [this](const IncomingRecord& record) { return pipeline.Deliver(record); };
  }
};

TEST_F(SenderPoolTest, FinishesEveryRecordOnce) {
  std::latch done(20);
  SenderPool pool(ToPipeline(), {.senders = 4, .reserved_for_emergency = 1}, probe);
  for (std::int32_t i = 1; i <= 20; ++i)
    ASSERT_TRUE(pool.Offer(2, Work(i), [&] { done.count_down(); }));
  done.wait();
  EXPECT_THAT(provider.sent, testing::SizeIs(20));
}

TEST_F(SenderPoolTest, RefusesARecordWhenTheLaneIsFull) {  // bounded lanes
  claims.SetDown(true);                                    // the senders keep retrying
  SenderPool pool(ToPipeline(), {.senders = 2, .reserved_for_emergency = 1, .lane_capacity = 3},
                  probe);
  int accepted = 0;
  IncomingRecord record = Work(1);
  while (accepted < 10) {
    record = Work(accepted + 1);
    if (!pool.Offer(2, std::move(record), [] {})) break;
    ++accepted;
  }
  EXPECT_LE(accepted, 4);  // three in the lane, one with the sender
  EXPECT_FALSE(record.value.empty());
}

TEST_F(SenderPoolTest, ReservesASenderForEmergencies) {  // A4
  std::latch release(1);
  std::latch emergency_done(1);
  provider.during_post = [&] {
    bool emergency = false;
    for (const auto& sent : provider.sent) emergency = emergency || sent.attempt.step() == 99;
    if (!emergency) release.wait();
  };
  SenderPool pool(ToPipeline(), {.senders = 3, .reserved_for_emergency = 1}, probe);
  for (std::int32_t i = 1; i <= 8; ++i) pool.Offer(3, Work(i, v1::PRIORITY_BULK), [] {});
  ASSERT_TRUE(
      pool.Offer(0, Work(99, v1::PRIORITY_EMERGENCY), [&] { emergency_done.count_down(); }));
  emergency_done.wait();  // although the others are blocked
  release.count_down();
}

TEST_F(SenderPoolTest, RetriesARecordUntilItsDependenciesRespond) {  // R1, R6
  claims.SetDown(true);
  std::atomic<int> failures{0};
  std::latch failed(3);
  std::latch done(1);
  probe.on_dependency_error = [&](const Error& error) {
    EXPECT_EQ(error.code, ErrorCode::kRedisUnavailable);
    if (failures.fetch_add(1) < 3) failed.count_down();
  };
  SenderPool pool(ToPipeline(), {.senders = 2, .reserved_for_emergency = 1}, probe);
  ASSERT_TRUE(pool.Offer(1, Work(1), [&] { done.count_down(); }));
  failed.wait();
  claims.SetDown(false);
  done.wait();
  EXPECT_THAT(provider.sent, testing::SizeIs(1));
}

TEST_F(SenderPoolTest, LeavesRecordsUnfinishedWhenItStops) {  // O8
  claims.SetDown(true);
  std::atomic<int> finished{0};
  std::latch failed(1);
  std::atomic<bool> once{false};
  probe.on_dependency_error = [&](const Error&) {
    if (!once.exchange(true)) failed.count_down();
  };
  SenderPool pool(ToPipeline(), {.senders = 2, .reserved_for_emergency = 1}, probe);
  for (std::int32_t i = 1; i <= 5; ++i) pool.Offer(2, Work(i), [&] { ++finished; });
  failed.wait();
  EXPECT_TRUE(pool.Stop(In(seconds(10))));
  EXPECT_EQ(finished, 0);
  EXPECT_FALSE(pool.Offer(2, Work(9), [] {}));
}

}  // namespace
}  // namespace tocsin
