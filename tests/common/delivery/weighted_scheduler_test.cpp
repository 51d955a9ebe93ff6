#include "common/delivery/weighted_scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin {
namespace {

TEST(WeightedSchedulerTest, PicksEmergencyFirst) {  // A4
  WeightedScheduler scheduler;
  for (int i = 0; i < 50; ++i) EXPECT_EQ(scheduler.Pick({true, true, true, true}, false), 0u);
}

TEST(WeightedSchedulerTest, PicksNothingElseForAnEmergencySender) {  // A4
  WeightedScheduler scheduler;
  EXPECT_EQ(scheduler.Pick({false, true, true, true}, true), std::nullopt);
  EXPECT_EQ(scheduler.Pick({true, true, true, true}, true), 0u);
}

TEST(WeightedSchedulerTest, SharesTheOtherLanesByWeight) {
  WeightedScheduler scheduler;
  std::array<int, kLanes> picked{};
  for (int i = 0; i < 1300; ++i) ++picked[*scheduler.Pick({false, true, true, true}, false)];
  EXPECT_THAT(picked, testing::ElementsAre(0, 800, 400, 100));
}

TEST(WeightedSchedulerTest, GivesASingleLaneEverything) {
  WeightedScheduler scheduler;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(scheduler.Pick({false, false, false, true}, false), 3u);
  EXPECT_EQ(scheduler.Pick({}, false), std::nullopt);
}

TEST(WeightedSchedulerTest, SavesNoCreditForAnIdleLane) {
  WeightedScheduler scheduler;
  for (int i = 0; i < 1000; ++i) scheduler.Pick({false, false, true, false}, false);
  EXPECT_EQ(scheduler.Pick({false, true, true, false}, false), 1u);
}

}  // namespace
}  // namespace tocsin
