#include "common/base/retry_loop.h"

#include <gmock/gmock.h>

#include <stop_token>
#include <vector>

#include "common/base/sleep.h"

namespace tocsin {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;

constexpr RetryDelays kDelays{seconds(1), seconds(5)};

TEST(RetryLoopTest, ReturnsTheFirstSuccessWithoutSleeping) {
  const Result<int> result = RetryLoop(
      kDelays, [] { return Result<int>(7); }, [](Micros) { return false; },
      [](const Error&) { FAIL(); });
  EXPECT_EQ(result, 7);
}

TEST(RetryLoopTest, DoublesTheDelayUpToTheMaximum) {
  std::vector<Micros> delays;
  int errors = 0;
  const Result<int> result = RetryLoop(
      kDelays,
      [&]() -> Result<int> {
        if (errors < 4) return Fail(ErrorCode::kRedisUnavailable, "down");
        return 7;
      },
      [&](Micros delay) {
        delays.push_back(delay);
        return true;
      },
      [&](const Error&) { ++errors; });
  EXPECT_EQ(result, 7);
  EXPECT_THAT(delays, ElementsAre(seconds(1), seconds(2), seconds(4), seconds(5)));
}

TEST(RetryLoopTest, ReturnsTheLastErrorAfterAStop) {
  int errors = 0;
  const Status status = RetryLoop(
      kDelays, []() -> Status { return Fail(ErrorCode::kRedisUnavailable, "down"); },
      [](Micros) { return false; }, [&](const Error&) { ++errors; });
  EXPECT_EQ(status.error().code, ErrorCode::kRedisUnavailable);
  EXPECT_EQ(errors, 1);
}

TEST(SleepForTest, ReturnsFalseAtOnceAfterAStopRequest) {
  std::stop_source stop;
  EXPECT_TRUE(SleepFor(Micros(1), stop.get_token()));
  stop.request_stop();
  EXPECT_FALSE(SleepFor(std::chrono::hours(1), stop.get_token()));
}

}  // namespace
}  // namespace tocsin
