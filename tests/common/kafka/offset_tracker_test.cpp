#include "common/kafka/offset_tracker.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <set>
#include <utility>
#include <vector>

namespace tocsin::kafka {
namespace {

constexpr WallTime kEarly{Micros(1'000)};
constexpr WallTime kLate{Micros(2'000)};

TEST(OffsetTrackerTest, HasNothingToCommitBeforeTheFirstRecord) {
  const OffsetTracker tracker;
  EXPECT_FALSE(tracker.CommitOffset());
  EXPECT_FALSE(tracker.OldestUncompleted());
}

TEST(OffsetTrackerTest, DoesNotCompleteARecordThatWasNotRead) {
  OffsetTracker tracker;
  tracker.Begin(5, kEarly);
  EXPECT_FALSE(tracker.Complete(4));
  EXPECT_FALSE(tracker.Complete(6));
  EXPECT_EQ(tracker.CommitOffset(), 5);
}

TEST(OffsetTrackerTest, CompletesARecordOnce) {
  OffsetTracker tracker;
  tracker.Begin(1, kEarly);
  tracker.Begin(2, kLate);
  EXPECT_TRUE(tracker.Complete(2));
  EXPECT_FALSE(tracker.Complete(2));
  EXPECT_EQ(tracker.Uncompleted(), 1U);
}

TEST(OffsetTrackerTest, RefusesARecordThatWasReadBefore) {
  OffsetTracker tracker;
  tracker.Begin(7, kEarly);
  tracker.Complete(7);
  EXPECT_FALSE(tracker.Begin(7, kLate));
  EXPECT_FALSE(tracker.Begin(6, kLate));
  EXPECT_EQ(tracker.CommitOffset(), 8);
}

TEST(OffsetTrackerTest, CommitsUpToTheOldestUncompletedRecord) {
  OffsetTracker tracker;
  for (const std::int64_t offset : {10, 11, 12}) tracker.Begin(offset, kEarly);
  tracker.Complete(12);
  tracker.Complete(11);
  EXPECT_EQ(tracker.CommitOffset(), 10);
  tracker.Complete(10);
  EXPECT_EQ(tracker.CommitOffset(), 13);
}

TEST(OffsetTrackerTest, TreatsSkippedOffsetsAsCompleted) {
  OffsetTracker tracker;
  tracker.Begin(3, kEarly);
  tracker.Begin(9, kLate);
  tracker.Complete(3);
  EXPECT_EQ(tracker.CommitOffset(), 9);
}

TEST(OffsetTrackerTest, ReturnsTheTimeOfTheOldestUncompletedRecord) {
  OffsetTracker tracker;
  tracker.Begin(1, kEarly);
  tracker.Begin(2, kLate);
  EXPECT_EQ(tracker.OldestUncompleted(), kEarly);
  tracker.Complete(1);
  EXPECT_EQ(tracker.OldestUncompleted(), kLate);
}

// Compares with a plain set of offsets after each step of a random sequence.
TEST(OffsetTrackerTest, AgreesWithASetOfUncompletedOffsets) {
  EXPECT_TRUE(rc::check("tracker and set agree", [] {
    OffsetTracker tracker;
    std::set<std::int64_t> uncompleted;
    std::vector<std::int64_t> added;
    std::int64_t next = *rc::gen::inRange<std::int64_t>(0, 1'000'000);
    const auto steps = *rc::gen::container<std::vector<std::pair<bool, unsigned>>>(
        rc::gen::pair(rc::gen::arbitrary<bool>(), rc::gen::inRange(0U, 64U)));
    for (const auto& [begin, choice] : steps) {
      if (begin) {
        next += 1 + (choice % 3 == 0 ? choice : 0);  // every third leaves a gap
        RC_ASSERT(tracker.Begin(next, WallTime(Micros(next))));
        uncompleted.insert(next);
        added.push_back(next);
      } else if (!added.empty()) {
        const std::int64_t offset = added[choice % added.size()];
        RC_ASSERT(tracker.Complete(offset) == (uncompleted.erase(offset) == 1));
      }
      if (added.empty()) continue;
      const std::int64_t expected = uncompleted.empty() ? added.back() + 1 : *uncompleted.begin();
      RC_ASSERT(tracker.CommitOffset() == expected);
      RC_ASSERT(tracker.Uncompleted() == uncompleted.size());
    }
  }));
}

}  // namespace
}  // namespace tocsin::kafka
