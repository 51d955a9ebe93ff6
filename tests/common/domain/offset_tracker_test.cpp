#include "common/domain/offset_tracker.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <set>
#include <utility>
#include <vector>

namespace tocsin {
namespace {

constexpr WallTime kEarly{Micros(1'000)};
constexpr WallTime kLate{Micros(2'000)};

TEST(OffsetTrackerTest, KnowsNothingToCommitBeforeTheFirstRecord) {
  const OffsetTracker tracker;
  EXPECT_FALSE(tracker.Prefix());
  EXPECT_FALSE(tracker.OldestOpen());
}

TEST(OffsetTrackerTest, RefusesToFinishWhatWasNeverBegun) {
  OffsetTracker tracker;
  tracker.Begin(5, kEarly);
  EXPECT_FALSE(tracker.Finish(4));
  EXPECT_FALSE(tracker.Finish(6));
  EXPECT_EQ(tracker.Prefix(), 5);
}

TEST(OffsetTrackerTest, FinishesARecordOnce) {
  OffsetTracker tracker;
  tracker.Begin(1, kEarly);
  tracker.Begin(2, kLate);
  EXPECT_TRUE(tracker.Finish(2));
  EXPECT_FALSE(tracker.Finish(2));
  EXPECT_EQ(tracker.Open(), 1U);
}

TEST(OffsetTrackerTest, RefusesARecordThatWasHandedOutBefore) {
  OffsetTracker tracker;
  tracker.Begin(7, kEarly);
  tracker.Finish(7);
  EXPECT_FALSE(tracker.Begin(7, kLate));
  EXPECT_FALSE(tracker.Begin(6, kLate));
  EXPECT_EQ(tracker.Prefix(), 8);
}

TEST(OffsetTrackerTest, HoldsThePrefixAtTheOldestOpenRecord) {
  OffsetTracker tracker;
  for (const std::int64_t offset : {10, 11, 12}) tracker.Begin(offset, kEarly);
  tracker.Finish(12);
  tracker.Finish(11);
  EXPECT_EQ(tracker.Prefix(), 10);
  tracker.Finish(10);
  EXPECT_EQ(tracker.Prefix(), 13);
}

TEST(OffsetTrackerTest, CountsOffsetsLeftOutByTheLogAsFinished) {
  OffsetTracker tracker;
  tracker.Begin(3, kEarly);
  tracker.Begin(9, kLate);
  tracker.Finish(3);
  EXPECT_EQ(tracker.Prefix(), 9);
}

TEST(OffsetTrackerTest, TellsTheTimeOfTheOldestOpenRecord) {
  OffsetTracker tracker;
  tracker.Begin(1, kEarly);
  tracker.Begin(2, kLate);
  EXPECT_EQ(tracker.OldestOpen(), kEarly);
  tracker.Finish(1);
  EXPECT_EQ(tracker.OldestOpen(), kLate);
}

// Against a set of unfinished offsets, after any sequence of steps.
TEST(OffsetTrackerTest, AgreesWithANaiveSetOfUnfinishedOffsets) {
  EXPECT_TRUE(rc::check("tracker and set agree", [] {
    OffsetTracker tracker;
    std::set<std::int64_t> unfinished;
    std::vector<std::int64_t> begun;
    std::int64_t next = *rc::gen::inRange<std::int64_t>(0, 1'000'000);
    const auto steps = *rc::gen::container<std::vector<std::pair<bool, unsigned>>>(
        rc::gen::pair(rc::gen::arbitrary<bool>(), rc::gen::inRange(0U, 64U)));
    for (const auto& [begin, choice] : steps) {
      if (begin) {
        next += 1 + (choice % 3 == 0 ? choice : 0);  // every third leaves a gap
        RC_ASSERT(tracker.Begin(next, WallTime(Micros(next))));
        unfinished.insert(next);
        begun.push_back(next);
      } else if (!begun.empty()) {
        const std::int64_t offset = begun[choice % begun.size()];
        RC_ASSERT(tracker.Finish(offset) == (unfinished.erase(offset) == 1));
      }
      if (begun.empty()) continue;
      const std::int64_t expected = unfinished.empty() ? begun.back() + 1 : *unfinished.begin();
      RC_ASSERT(tracker.Prefix() == expected);
      RC_ASSERT(tracker.Open() == unfinished.size());
    }
  }));
}

}  // namespace
}  // namespace tocsin
