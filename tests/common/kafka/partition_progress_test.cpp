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

TEST(CompletionTest, ADestroyedCompletionLeavesItsOffsetUncommitted) {
  const auto progress = WithRecords(2);
  Completion(progress, 1)();
  { const Completion abandoned(progress, 0); }
  EXPECT_EQ(progress->CommitOffset(), 0);
  EXPECT_EQ(progress->InFlight(), 0U);
}

TEST(CompletionTest, CompletesItsRecordOnce) {
  const auto progress = WithRecords(2);
  Completion complete(progress, 0);
  const Completion other(progress, 1);
  complete();
  complete();
  EXPECT_EQ(progress->CommitOffset(), 1);
  EXPECT_EQ(progress->InFlight(), 1U);
}

TEST(CompletionTest, AMovedCompletionCompletesItsRecord) {
  const auto progress = WithRecords(1);
  Completion first(progress, 0);
  Completion second = std::move(first);
  EXPECT_EQ(progress->InFlight(), 1U);
  second();
  EXPECT_EQ(progress->CommitOffset(), 1);
}

TEST(CompletionTest, AssignmentAbandonsTheFormerRecord) {
  const auto progress = WithRecords(2);
  Completion complete(progress, 0);
  complete = Completion(progress, 1);
  EXPECT_EQ(progress->InFlight(), 1U);
  complete();
  EXPECT_EQ(progress->CommitOffset(), 0);
}

TEST(CompletionTest, ReportsThatItsPartitionIsLost) {
  const auto progress = WithRecords(1);
  const Completion complete(progress, 0);
  EXPECT_FALSE(complete.Lost());
  progress->MarkLost();
  EXPECT_TRUE(complete.Lost());
}

TEST(PartitionProgressTest, IsIdleWhenNoRecordIsInFlight) {
  const auto progress = WithRecords(1);
  Completion complete(progress, 0);
  EXPECT_FALSE(progress->WaitIdle(std::chrono::steady_clock::now()));
  complete();
  EXPECT_TRUE(progress->WaitIdle(std::chrono::steady_clock::now()));
}

}  // namespace
}  // namespace tocsin::kafka
