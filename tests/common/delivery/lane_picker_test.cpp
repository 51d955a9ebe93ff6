#include "common/delivery/lane_picker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin {
namespace {

TEST(LanePickerTest, TakesAnEmergencyBeforeAnythingElse) {  // A4
  LanePicker picker;
  for (int i = 0; i < 50; ++i) EXPECT_EQ(picker.Pick({true, true, true, true}, false), 0u);
}

TEST(LanePickerTest, LeavesASenderKeptForEmergenciesIdleWithoutOne) {  // A4
  LanePicker picker;
  EXPECT_EQ(picker.Pick({false, true, true, true}, true), std::nullopt);
  EXPECT_EQ(picker.Pick({true, true, true, true}, true), 0u);
}

TEST(LanePickerTest, SharesTheRestByWeightSoThatEvenBulkMoves) {
  LanePicker picker;
  std::array<int, kLanes> taken{};
  for (int i = 0; i < 1300; ++i) ++taken[*picker.Pick({false, true, true, true}, false)];
  EXPECT_THAT(taken, testing::ElementsAre(0, 800, 400, 100));
}

TEST(LanePickerTest, GivesALaneAloneEverything) {
  LanePicker picker;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(picker.Pick({false, false, false, true}, false), 3u);
  EXPECT_EQ(picker.Pick({}, false), std::nullopt);
}

TEST(LanePickerTest, SavesNoTurnsForALaneThatAskedForNothing) {
  LanePicker picker;
  for (int i = 0; i < 1000; ++i) picker.Pick({false, false, true, false}, false);
  EXPECT_EQ(picker.Pick({false, true, true, false}, false), 1u);
}

}  // namespace
}  // namespace tocsin
