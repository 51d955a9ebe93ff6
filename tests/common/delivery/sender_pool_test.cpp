#include "common/delivery/sender_pool.h"

#include <atomic>
#include <latch>

#include "tests/common/delivery/delivery_fixture.h"

namespace tocsin {
namespace {

using std::chrono::seconds;

class SenderPoolTest : public DeliveryFixture {
 protected:
  static std::chrono::steady_clock::time_point In(seconds time) {
    return std::chrono::steady_clock::now() + time;
  }
  IncomingRecord Work(unsigned step, v1::AlertClass alert_class = v1::ALERT_CLASS_NORMAL) {
    v1::WorkRecord work = AWork();
    work.mutable_try_()->set_step(step);
    work.set_class_(alert_class);
    carrier.answer = FakeCarrier::Of(v1::RECEIPT_OUTCOME_REFUSED, 21614);
    return RecordOf(work);
  }
};

TEST_F(SenderPoolTest, FinishesEveryRecordOnce) {
  std::latch done(20);
  SenderPool pool(pipeline, {.senders = 4, .kept_for_emergency = 1}, {});
  for (unsigned i = 1; i <= 20; ++i)
    ASSERT_TRUE(pool.Offer(2, Work(i), [&] { done.count_down(); }));
  done.wait();
  EXPECT_THAT(carrier.sent, testing::SizeIs(20));
}

TEST_F(SenderPoolTest, RefusesWhatDoesNotFitAndLeavesItAsItWas) {  // bounded lanes
  claims.SetDown(true);  // the senders hold on to what they have
  SenderPool pool(pipeline, {.senders = 2, .kept_for_emergency = 1, .lane_capacity = 3}, {});
  int taken = 0;
  IncomingRecord record = Work(1);
  while (taken < 10) {
    record = Work(static_cast<unsigned>(taken) + 1);
    if (!pool.Offer(2, std::move(record), [] {})) break;
    ++taken;
  }
  EXPECT_LE(taken, 4);  // three waiting, one with the sender
  EXPECT_FALSE(record.value.empty());
}

TEST_F(SenderPoolTest, KeepsASenderForEmergenciesWhenAllOthersAreBusy) {  // A4
  std::latch release(1);
  std::latch emergency_done(1);
  carrier.during_post = [&] {
    bool emergency = false;
    for (const auto& sent : carrier.sent) emergency = emergency || sent.name.step() == 99;
    if (!emergency) release.wait();
  };
  SenderPool pool(pipeline, {.senders = 3, .kept_for_emergency = 1}, {});
  for (unsigned i = 1; i <= 8; ++i) pool.Offer(3, Work(i, v1::ALERT_CLASS_BULK), [] {});
  ASSERT_TRUE(
      pool.Offer(0, Work(99, v1::ALERT_CLASS_EMERGENCY), [&] { emergency_done.count_down(); }));
  emergency_done.wait();  // although nobody released the others
  release.count_down();
}

TEST_F(SenderPoolTest, HoldsARecordUntilItsNeighboursAnswerAgain) {  // R1, R6
  claims.SetDown(true);
  std::atomic<int> held{0};
  std::latch told(3);
  std::latch done(1);
  SenderPool pool(pipeline, {.senders = 2, .kept_for_emergency = 1},
                  {.delivered = [](Passage, Micros) {},
                   .held =
                       [&](const Error& error) {
                         EXPECT_EQ(error.code, ErrorCode::kRedisUnavailable);
                         if (held.fetch_add(1) < 3) told.count_down();
                       }});
  ASSERT_TRUE(pool.Offer(1, Work(1), [&] { done.count_down(); }));
  told.wait();
  claims.SetDown(false);
  done.wait();
  EXPECT_THAT(carrier.sent, testing::SizeIs(1));
}

TEST_F(SenderPoolTest, LeavesUnfinishedWhatItHoldsWhenItStops) {  // O8
  claims.SetDown(true);
  std::atomic<int> finished{0};
  std::latch told(1);
  std::atomic<bool> once{false};
  SenderPool pool(pipeline, {.senders = 2, .kept_for_emergency = 1},
                  {.delivered = [](Passage, Micros) {},
                   .held =
                       [&](const Error&) {
                         if (!once.exchange(true)) told.count_down();
                       }});
  for (unsigned i = 1; i <= 5; ++i) pool.Offer(2, Work(i), [&] { ++finished; });
  told.wait();
  EXPECT_TRUE(pool.Stop(In(seconds(10))));
  EXPECT_EQ(finished, 0);
  EXPECT_FALSE(pool.Offer(2, Work(9), [] {}));
}

}  // namespace
}  // namespace tocsin
