#include <gtest/gtest.h>

#include <set>

#include "common/kafka/partitioner.h"

namespace tocsin::kafka {
namespace {

constexpr SteadyTime kSlotStart(kPartitionSlot * 1'000);

TEST(PartitionOfSlotTest, IsTheSameDuringASlot) {
  const auto last = kSlotStart + kPartitionSlot - std::chrono::nanoseconds(1);
  EXPECT_EQ(PartitionOfSlot(kSlotStart, 7, 12), PartitionOfSlot(last, 7, 12));
}

TEST(PartitionOfSlotTest, UsesEveryPartitionInTurn) {
  std::set<std::int32_t> used;
  for (int slot = 0; slot < 12; ++slot)
    used.insert(PartitionOfSlot(kSlotStart + slot * kPartitionSlot, 7, 12));
  EXPECT_EQ(used.size(), 12U);
  EXPECT_EQ(*used.begin(), 0);
  EXPECT_EQ(*used.rbegin(), 11);
}

TEST(PartitionOfSlotTest, DiffersBetweenProcessesAtTheSameTime) {
  EXPECT_NE(PartitionOfSlot(kSlotStart, 1, 12), PartitionOfSlot(kSlotStart, 2, 12));
}

TEST(PartitionOfSlotTest, IsAPartitionForTheHighestShift) {
  const std::int32_t partition = PartitionOfSlot(kSlotStart, 0xffffffffU, 3);
  EXPECT_GE(partition, 0);
  EXPECT_LT(partition, 3);
}

}  // namespace
}  // namespace tocsin::kafka
