// The contract of Pacer. A world provides the port and the store's time, roughly:
//   Pacer& pacer();
//   WallTime Now();
//   T Wait(Task<T> task);  // runs it to its end
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

  WallTime Reserve(double rate, std::int32_t units = 1) {
    auto time = world.Wait(world.pacer().Reserve(key, rate, units, world.Now() + kFar));
    EXPECT_TRUE(time) << time.error().message;
    return time ? *time : WallTime();
  }

  World world;
  const std::string key = HexEncode(RandomBytes(8));
};

TYPED_TEST_SUITE_P(PacerContract);

TYPED_TEST_P(PacerContract, ReservesTheFirstTimeAtOnceAtAnyRate) {
  const WallTime time = this->Reserve(0.01);
  EXPECT_LE(time, this->world.Now());
}

TYPED_TEST_P(PacerContract, SpacesReservationsByTheInterval) {
  const WallTime first = this->Reserve(0.1);
  EXPECT_EQ(this->Reserve(0.1) - first, std::chrono::seconds(10));
}

TYPED_TEST_P(PacerContract, CountsUnits) {
  const WallTime first = this->Reserve(1, 5);
  EXPECT_EQ(this->Reserve(1, 5) - first, std::chrono::seconds(5));
}

// In any window W at most rate x (W + burst); the burst is a second or the longest interval.
TYPED_TEST_P(PacerContract, NeverExceedsTheRateOverAnyWindow) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const double rate = std::uniform_real_distribution<>(0.5, 50)(random);
  std::vector<std::pair<WallTime, std::int32_t>> reserved;
  for (int i = 0; i < 200; ++i) {
    const std::int32_t units = std::uniform_int_distribution<std::int32_t>(1, 6)(random);
    reserved.emplace_back(this->Reserve(rate, units), units);
  }
  const double burst = std::max(1.0, 6 / rate);
  for (size_t from = 0; from < reserved.size(); ++from) {
    double units = 0;
    for (size_t to = from; to < reserved.size(); ++to) {
      units += reserved[to].second;
      const std::chrono::duration<double> window = reserved[to].first - reserved[from].first;
      ASSERT_GE(window.count(), 0) << "times are in order";
      ASSERT_LE(units, rate * (window.count() + burst) + 1e-3) << from << "…" << to;
    }
  }
}

TYPED_TEST_P(PacerContract, ReservesNothingAfterTheLatestTime) {
  this->Reserve(0.001);
  const WallTime latest = this->world.Now();
  const auto late = this->world.Wait(this->world.pacer().Reserve(this->key, 0.001, 1, latest));
  ASSERT_TRUE(late);
  EXPECT_GT(*late, latest);
  EXPECT_EQ(this->Reserve(0.001), *late);
}

TYPED_TEST_P(PacerContract, RefusesAnInvalidRate) {
  for (const double rate : {0.0, -1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    const auto time = this->world.Wait(
        this->world.pacer().Reserve(this->key, rate, 1, this->world.Now() + this->kFar));
    ASSERT_FALSE(time) << rate;
    EXPECT_EQ(time.error().code, ErrorCode::kInvalidArgument);
  }
}

REGISTER_TYPED_TEST_SUITE_P(PacerContract, ReservesTheFirstTimeAtOnceAtAnyRate,
                            SpacesReservationsByTheInterval, CountsUnits,
                            NeverExceedsTheRateOverAnyWindow, ReservesNothingAfterTheLatestTime,
                            RefusesAnInvalidRate);

}  // namespace tocsin
