#include "common/delivery/circuit_breaker.h"

#include <gtest/gtest.h>

namespace tocsin {
namespace {

using std::chrono::seconds;

constexpr SteadyTime kStart{};

TEST(CircuitBreakerTest, KnowsNothingBeforeTheFirstRequest) {
  const CircuitBreaker breaker;
  EXPECT_FALSE(breaker.FailingFor(Micros(0), kStart));
  EXPECT_FALSE(breaker.RespondingFor(Micros(0), kStart));
}

TEST(CircuitBreakerTest, CountsRespondingFromTheFirstOfSuccessesInARow) {
  CircuitBreaker breaker;
  for (int i = 0; i <= 10; ++i) breaker.RecordSuccess(kStart + seconds(i));
  EXPECT_TRUE(breaker.RespondingFor(seconds(10), kStart + seconds(10)));
  EXPECT_FALSE(breaker.RespondingFor(seconds(11), kStart + seconds(10)));
}

// An idle process did not notice an outage.
TEST(CircuitBreakerTest, CountsRespondingAnewAfterSilence) {  // R1
  CircuitBreaker breaker;
  for (int i = 0; i <= 10; ++i) breaker.RecordSuccess(kStart + seconds(i));
  EXPECT_FALSE(breaker.RespondingFor(Micros(0), kStart + seconds(14)));
  breaker.RecordSuccess(kStart + seconds(14));
  EXPECT_TRUE(breaker.RespondingFor(Micros(0), kStart + seconds(14)));
  EXPECT_FALSE(breaker.RespondingFor(seconds(1), kStart + seconds(14)));
}

TEST(CircuitBreakerTest, CountsFailingFromTheFirstFailure) {
  CircuitBreaker breaker;
  breaker.RecordFailure(kStart + seconds(5));
  breaker.RecordFailure(kStart + seconds(6));
  EXPECT_FALSE(breaker.FailingFor(seconds(2), kStart + seconds(6)));
  EXPECT_TRUE(breaker.FailingFor(seconds(2), kStart + seconds(7)));
  EXPECT_FALSE(breaker.RespondingFor(Micros(0), kStart + seconds(7)));
}

TEST(CircuitBreakerTest, OneSuccessEndsFailingAndStartsResponding) {
  CircuitBreaker breaker;
  breaker.RecordFailure(kStart + seconds(5));
  for (int i = 20; i <= 30; ++i) breaker.RecordSuccess(kStart + seconds(i));
  EXPECT_FALSE(breaker.FailingFor(Micros(0), kStart + seconds(30)));
  EXPECT_FALSE(breaker.RespondingFor(seconds(11), kStart + seconds(30)));
  EXPECT_TRUE(breaker.RespondingFor(seconds(10), kStart + seconds(30)));
}

TEST(CircuitBreakerTest, AllowsOneRequestPerSecondWhileFailing) {  // R6
  CircuitBreaker breaker;
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
