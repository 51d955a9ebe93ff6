#include "common/delivery/weighted_scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin {
namespace {

TEST(WeightedSchedulerTest, PicksEmergencyFirst) {  // A4
  WeightedScheduler scheduler;
  for (int i = 0; i < 50; ++i) EXPECT_EQ(scheduler.Pick({true, true, true, true}), 0u);
}

TEST(WeightedSchedulerTest, SharesTheOtherLanesByWeight) {
  WeightedScheduler scheduler;
  std::array<int, kLanes> picked{};
  for (int i = 0; i < 1300; ++i) ++picked[*scheduler.Pick({false, true, true, true})];
  EXPECT_THAT(picked, testing::ElementsAre(0, 800, 400, 100));
}

TEST(WeightedSchedulerTest, GivesASingleLaneEverything) {
  WeightedScheduler scheduler;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(scheduler.Pick({false, false, false, true}), 3u);
  EXPECT_EQ(scheduler.Pick({}), std::nullopt);
}

TEST(WeightedSchedulerTest, SavesNoCreditForAnIdleLane) {
  WeightedScheduler scheduler;
  for (int i = 0; i < 1000; ++i) scheduler.Pick({false, false, true, false});
  EXPECT_EQ(scheduler.Pick({false, true, true, false}), 1u);
}

}  // namespace
}  // namespace tocsin
