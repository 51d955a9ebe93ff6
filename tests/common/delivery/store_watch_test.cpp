#include "common/delivery/store_watch.h"

#include <gtest/gtest.h>

namespace tocsin {
namespace {

using std::chrono::seconds;

constexpr SteadyTime kStart{};

TEST(StoreWatchTest, IsTakenToAnswerFromTheFirst) {
  const StoreWatch watch(kStart);
  EXPECT_FALSE(watch.SilentFor(Micros(0), kStart));
  EXPECT_FALSE(watch.AnsweredFor(seconds(10), kStart + seconds(9)));
  EXPECT_TRUE(watch.AnsweredFor(seconds(10), kStart + seconds(10)));
}

TEST(StoreWatchTest, CountsSilenceFromTheFirstCallThatFailed) {
  StoreWatch watch(kStart);
  watch.WasSilent(kStart + seconds(5));
  watch.WasSilent(kStart + seconds(6));
  EXPECT_FALSE(watch.SilentFor(seconds(2), kStart + seconds(6)));
  EXPECT_TRUE(watch.SilentFor(seconds(2), kStart + seconds(7)));
  EXPECT_FALSE(watch.AnsweredFor(Micros(0), kStart + seconds(7)));
}

TEST(StoreWatchTest, OneAnswerEndsTheSilenceAndBeginsTheTrust) {
  StoreWatch watch(kStart);
  watch.WasSilent(kStart + seconds(5));
  watch.Answered(kStart + seconds(20));
  watch.Answered(kStart + seconds(25));
  EXPECT_FALSE(watch.SilentFor(Micros(0), kStart + seconds(30)));
  EXPECT_FALSE(watch.AnsweredFor(seconds(10), kStart + seconds(29)));
  EXPECT_TRUE(watch.AnsweredFor(seconds(10), kStart + seconds(30)));
}

TEST(StoreWatchTest, OneCallerASecondAsksASilentStore) {  // R6
  StoreWatch watch(kStart);
  EXPECT_TRUE(watch.MayBeAsked(seconds(1), kStart));
  watch.WasSilent(kStart);
  EXPECT_TRUE(watch.MayBeAsked(seconds(1), kStart + Micros(999'999)));
  EXPECT_TRUE(watch.MayBeAsked(seconds(1), kStart + seconds(1)));
  EXPECT_FALSE(watch.MayBeAsked(seconds(1), kStart + seconds(1)));
  EXPECT_FALSE(watch.MayBeAsked(seconds(1), kStart + Micros(1'999'999)));
  EXPECT_TRUE(watch.MayBeAsked(seconds(1), kStart + seconds(2)));
  watch.Answered(kStart + seconds(3));
  EXPECT_TRUE(watch.MayBeAsked(seconds(1), kStart + seconds(3)));
  EXPECT_TRUE(watch.MayBeAsked(seconds(1), kStart + seconds(3)));
}

}  // namespace
}  // namespace tocsin
