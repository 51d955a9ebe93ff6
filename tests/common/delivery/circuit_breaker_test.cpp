#include "common/delivery/circuit_breaker.h"

#include <gtest/gtest.h>

namespace tocsin {
namespace {

using std::chrono::seconds;

constexpr SteadyTime kStart{};

TEST(CircuitBreakerTest, CountsAsRespondingFromConstruction) {
  const CircuitBreaker breaker(kStart);
  EXPECT_FALSE(breaker.FailingFor(Micros(0), kStart));
  EXPECT_FALSE(breaker.RespondingFor(seconds(10), kStart + seconds(9)));
  EXPECT_TRUE(breaker.RespondingFor(seconds(10), kStart + seconds(10)));
}

TEST(CircuitBreakerTest, CountsFailingFromTheFirstFailure) {
  CircuitBreaker breaker(kStart);
  breaker.RecordFailure(kStart + seconds(5));
  breaker.RecordFailure(kStart + seconds(6));
  EXPECT_FALSE(breaker.FailingFor(seconds(2), kStart + seconds(6)));
  EXPECT_TRUE(breaker.FailingFor(seconds(2), kStart + seconds(7)));
  EXPECT_FALSE(breaker.RespondingFor(Micros(0), kStart + seconds(7)));
}

TEST(CircuitBreakerTest, OneSuccessEndsFailingAndStartsResponding) {
  CircuitBreaker breaker(kStart);
  breaker.RecordFailure(kStart + seconds(5));
  breaker.RecordSuccess(kStart + seconds(20));
  breaker.RecordSuccess(kStart + seconds(25));
  EXPECT_FALSE(breaker.FailingFor(Micros(0), kStart + seconds(30)));
  EXPECT_FALSE(breaker.RespondingFor(seconds(10), kStart + seconds(29)));
  EXPECT_TRUE(breaker.RespondingFor(seconds(10), kStart + seconds(30)));
}

TEST(CircuitBreakerTest, AllowsOneRequestPerSecondWhileFailing) {  // R6
  CircuitBreaker breaker(kStart);
  EXPECT_TRUE(breaker.AllowRequest(seconds(1), kStart));
  breaker.RecordFailure(kStart);
  EXPECT_TRUE(breaker.AllowRequest(seconds(1), kStart + Micros(999'999)));
  EXPECT_TRUE(breaker.AllowRequest(seconds(1), kStart + seconds(1)));
  EXPECT_FALSE(breaker.AllowRequest(seconds(1), kStart + seconds(1)));
  EXPECT_FALSE(breaker.AllowRequest(seconds(1), kStart + Micros(1'999'999)));
  EXPECT_TRUE(breaker.AllowRequest(seconds(1), kStart + seconds(2)));
  breaker.RecordSuccess(kStart + seconds(3));
  EXPECT_TRUE(breaker.AllowRequest(seconds(1), kStart + seconds(3)));
  EXPECT_TRUE(breaker.AllowRequest(seconds(1), kStart + seconds(3)));
}

}  // namespace
}  // namespace tocsin
