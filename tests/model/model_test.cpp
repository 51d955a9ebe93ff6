#include "tests/model/simulation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin::model {
namespace {

using testing::IsEmpty;

TEST(ModelTest, KeepsAllInvariantsDespiteFaults) {  // R1, R2, R3, R4
  constexpr std::uint64_t kSeeds = 150;
  Counts counts;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const Outcome outcome = RunSeed(seed);
    ASSERT_THAT(outcome.violations, IsEmpty()) << "replay: tocsin-model --seed " << seed;
    counts += outcome.counts;
  }
  EXPECT_GT(counts.kills, 0u);
  EXPECT_GT(counts.freezes, 0u);
  EXPECT_GT(counts.in_doubt, 0u);
  EXPECT_GT(counts.not_received, 0u);
  EXPECT_GT(counts.plans.acknowledged, 0u);
  EXPECT_GT(counts.plans.missed, 0u);
  EXPECT_GT(counts.plans.early_steps, 0u);
}

TEST(ModelTest, IsDeterministic) {
  const Outcome first = RunSeed(7, Bug::kNone, true);
  EXPECT_EQ(first.trace, RunSeed(7, Bug::kNone, true).trace);
  EXPECT_FALSE(first.trace.empty());
}

class PlantedBugTest : public testing::TestWithParam<std::pair<Bug, std::string_view>> {};

TEST_P(PlantedBugTest, IsFoundWithinABoundedNumberOfSeeds) {
  constexpr std::uint64_t kBound = 2'000;
  for (std::uint64_t seed = 1; seed <= kBound; ++seed) {
    const Outcome outcome = RunSeed(seed, GetParam().first);
    if (outcome.violations.empty()) continue;
    RecordProperty("seed", static_cast<int>(seed));
    SUCCEED() << "seed " << seed << ": " << outcome.violations.front();
    return;
  }
  FAIL() << "not within " << kBound << " seeds";
}

INSTANTIATE_TEST_SUITE_P(Bugs, PlantedBugTest, testing::ValuesIn(kBugs),
                         [](const auto& named) { return std::string(named.param.second); });

}  // namespace
}  // namespace tocsin::model
