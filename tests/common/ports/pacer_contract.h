// What every Pacer must do. A world makes one: `Pacer& pacer(); WallTime Now();` (the store's time,
// roughly).
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "common/base/digest.h"
#include "common/base/encoding.h"
#include "common/ports/claims.h"

namespace tocsin {

template <typename World>
class PacerContract : public ::testing::Test {
 protected:
  static constexpr Micros kFar = std::chrono::hours(24);

  WallTime Turn(double rate, unsigned segments = 1) {
    auto turn = world.pacer().TakeTurn(sender, rate, segments, world.Now() + kFar);
    EXPECT_TRUE(turn) << turn.error().message;
    return turn ? *turn : WallTime();
  }

  World world;
  const std::string sender = HexEncode(RandomBytes(8));
};

TYPED_TEST_SUITE_P(PacerContract);

TYPED_TEST_P(PacerContract, GivesTheFirstTurnAtOnceHoweverSlowTheRate) {
  const WallTime turn = this->Turn(0.01);
  EXPECT_LE(turn, this->world.Now());
}

TYPED_TEST_P(PacerContract, SpacesSlowTurnsByTheirInterval) {
  const WallTime first = this->Turn(0.1);
  EXPECT_EQ(this->Turn(0.1) - first, std::chrono::seconds(10));
}

TYPED_TEST_P(PacerContract, CountsSegments) {
  const WallTime first = this->Turn(1, 5);
  EXPECT_EQ(this->Turn(1, 5) - first, std::chrono::seconds(5));
}

// Over any window W no more than rate x (W + burst); the burst is a second or the longest turn.
TYPED_TEST_P(PacerContract, NeverExceedsTheRateOverAnyWindow) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const double rate = std::uniform_real_distribution<>(0.5, 50)(random);
  std::vector<std::pair<WallTime, unsigned>> turns;
  for (int i = 0; i < 200; ++i) {
    const unsigned segments = std::uniform_int_distribution<unsigned>(1, 6)(random);
    turns.emplace_back(this->Turn(rate, segments), segments);
  }
  const double burst = std::max(1.0, 6 / rate);
  for (size_t from = 0; from < turns.size(); ++from) {
    double units = 0;
    for (size_t to = from; to < turns.size(); ++to) {
      units += turns[to].second;
      const std::chrono::duration<double> window = turns[to].first - turns[from].first;
      ASSERT_GE(window.count(), 0) << "turns are given in order";
      ASSERT_LE(units, rate * (window.count() + burst) + 1e-3) << from << "…" << to;
    }
  }
}

TYPED_TEST_P(PacerContract, TakesNothingWhenTheTurnIsTooLate) {
  this->Turn(0.001);
  const WallTime latest = this->world.Now();
  const auto late = this->world.pacer().TakeTurn(this->sender, 0.001, 1, latest);
  ASSERT_TRUE(late);
  EXPECT_GT(*late, latest);
  EXPECT_EQ(this->Turn(0.001), *late);
}

TYPED_TEST_P(PacerContract, RefusesARateThatIsNone) {
  for (const double rate : {0.0, -1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    const auto turn =
        this->world.pacer().TakeTurn(this->sender, rate, 1, this->world.Now() + this->kFar);
    ASSERT_FALSE(turn) << rate;
    EXPECT_EQ(turn.error().code, ErrorCode::kInvalidArgument);
  }
}

REGISTER_TYPED_TEST_SUITE_P(PacerContract, GivesTheFirstTurnAtOnceHoweverSlowTheRate,
                            SpacesSlowTurnsByTheirInterval, CountsSegments,
                            NeverExceedsTheRateOverAnyWindow, TakesNothingWhenTheTurnIsTooLate,
                            RefusesARateThatIsNone);

}  // namespace tocsin
