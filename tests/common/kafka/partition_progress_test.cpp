#include "common/kafka/partition_progress.h"

#include <gtest/gtest.h>

#include <utility>

namespace tocsin::kafka {
namespace {

std::shared_ptr<PartitionProgress> WithRecords(std::int64_t count) {
  auto progress = std::make_shared<PartitionProgress>();
  for (std::int64_t offset = 0; offset < count; ++offset) progress->Begin(offset, WallTime());
  return progress;
}

TEST(DoneTest, DroppedUnfinishedItLeavesTheOffsetUncommitted) {
  const auto progress = WithRecords(2);
  Done(progress, 1)();
  { const Done dropped(progress, 0); }
  EXPECT_EQ(progress->Prefix(), 0);
  EXPECT_EQ(progress->InFlight(), 0U);
}

TEST(DoneTest, CountsOnceHoweverOftenItIsCalled) {
  const auto progress = WithRecords(2);
  Done done(progress, 0);
  const Done other(progress, 1);
  done();
  done();
  EXPECT_EQ(progress->Prefix(), 1);
  EXPECT_EQ(progress->InFlight(), 1U);
}

TEST(DoneTest, MovesWithItsDuty) {
  const auto progress = WithRecords(1);
  Done first(progress, 0);
  Done second = std::move(first);
  EXPECT_EQ(progress->InFlight(), 1U);
  second();
  EXPECT_EQ(progress->Prefix(), 1);
}

TEST(DoneTest, AssignedOverItDropsWhatItHeld) {
  const auto progress = WithRecords(2);
  Done done(progress, 0);
  done = Done(progress, 1);
  EXPECT_EQ(progress->InFlight(), 1U);
  done();
  EXPECT_EQ(progress->Prefix(), 0);
}

TEST(DoneTest, SaysThatItsPartitionIsLost) {
  const auto progress = WithRecords(1);
  const Done done(progress, 0);
  EXPECT_FALSE(done.Lost());
  progress->Lose();
  EXPECT_TRUE(done.Lost());
}

TEST(PartitionProgressTest, IsNotIdleWhileARecordIsInFlight) {
  const auto progress = WithRecords(1);
  Done done(progress, 0);
  EXPECT_FALSE(progress->WaitIdle(std::chrono::steady_clock::now()));
  done();
  EXPECT_TRUE(progress->WaitIdle(std::chrono::steady_clock::now()));
}

}  // namespace
}  // namespace tocsin::kafka
