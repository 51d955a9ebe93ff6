#include "common/delivery/post_limiter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/async/task_group.h"
#include "tests/fakes/manual_scheduler.h"

namespace tocsin {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr Micros kLongAgo = 2 * kPostPreparation;

// Deliveries that prepare their POST at once. The test ends it.
class PostLimiterTest : public testing::Test {
 protected:
  ~PostLimiterTest() override { deliveries.Clear(); }

  void Deliver(const std::string& name, v1::Priority priority = v1::PRIORITY_BULK) {
    deliveries.Start(Delivery(name, priority));
    scheduler.Run();
  }
  void Deliver(int count) {
    for (int i = 0; i < count; ++i) Deliver(std::to_string(i));
  }
  void EndPost(const std::string& name) {
    const auto end = in_progress.extract(name);
    ASSERT_FALSE(end.empty()) << name;
    end.mapped()(true);
    scheduler.Run();
  }
  std::vector<std::string> InProgress() const {
    std::vector<std::string> names;
    for (const auto& [name, end] : in_progress) names.push_back(name);
    return names;
  }

  Task<void> Delivery(std::string name, v1::Priority priority) {
    std::optional<PostPermit> permit = co_await limiter.Acquire(priority);
    if (!permit) {
      refused.push_back(name);
      co_return;
    }
    prepared.push_back(name);
    const bool permitted = co_await permit->AwaitTurn(clock.SteadyNow() + seconds(5));
    if (!permitted) {
      late.push_back(name);
      co_return;
    }
    const auto post = [&](const Callback<bool>& done) { in_progress.emplace(name, done); };
    co_await AwaitCallback<bool>(post);
  }

  ManualClock clock;
  ManualScheduler scheduler{clock};
  PostLimiter limiter{clock, scheduler, {.posts = 2, .reserved = 1}};
  std::vector<std::string> prepared;
  std::vector<std::string> refused;
  std::vector<std::string> late;
  std::map<std::string, Callback<bool>> in_progress;
  TaskGroup deliveries;
};

TEST_F(PostLimiterTest, PermitsAsManyPostsAsTheLimit) {
  Deliver(3);
  EXPECT_THAT(InProgress(), ElementsAre("0", "1"));
  EXPECT_EQ(limiter.InProgress(), 2u);
  EndPost("0");
  EXPECT_THAT(InProgress(), ElementsAre("1", "2"));
}

TEST_F(PostLimiterTest,
       PreparesNoPostWhileNoneEnds) {  // R4: a crash leaves no start without a POST
  Deliver(3);
  EXPECT_THAT(prepared, ElementsAre("0", "1"));
}

TEST_F(PostLimiterTest, PreparesAsManyPostsAsHaveEndedLately) {
  Deliver(4);
  EndPost("0");
  // One in the room of the POST that has ended, and one for the next room.
  EXPECT_THAT(prepared, ElementsAre("0", "1", "2", "3"));
  EXPECT_THAT(InProgress(), ElementsAre("1", "2"));
  EndPost("1");
  EXPECT_THAT(InProgress(), ElementsAre("2", "3"));
}

TEST_F(PostLimiterTest, PreparesNothingAheadAfterAPause) {
  Deliver(2);
  EndPost("0");
  Deliver("a");
  clock.Advance(kLongAgo);
  Deliver("b");
  EXPECT_THAT(prepared, ElementsAre("0", "1", "a"));
}

TEST_F(PostLimiterTest, LeavesRoomForHigherPriorities) {  // A4
  for (const char* name : {"bulk 1", "bulk 2", "bulk 3"}) Deliver(name);
  Deliver("normal 1", v1::PRIORITY_NORMAL);
  Deliver("normal 2", v1::PRIORITY_NORMAL);
  Deliver("high", v1::PRIORITY_HIGH);
  Deliver("emergency 1", v1::PRIORITY_EMERGENCY);
  Deliver("emergency 2", v1::PRIORITY_EMERGENCY);
  EXPECT_THAT(InProgress(), ElementsAre("bulk 1", "bulk 2", "emergency 1", "high", "normal 1"));
  EndPost("bulk 1");  // the room of the highest priority is free, no other
  EXPECT_THAT(InProgress(),
              ElementsAre("bulk 2", "emergency 1", "emergency 2", "high", "normal 1"));
}

TEST_F(PostLimiterTest, KeepsTheOrderOfThoseThatWait) {
  Deliver(6);
  EndPost("0");
  EndPost("1");
  EndPost("2");
  EXPECT_THAT(InProgress(), ElementsAre("3", "4"));
}

TEST_F(PostLimiterTest, GivesNoTurnAfterTheDeadline) {
  Deliver(4);
  EndPost("0");
  ASSERT_THAT(prepared, SizeIs(4));
  clock.Advance(seconds(5));
  scheduler.Run();
  EXPECT_THAT(late, ElementsAre("3"));
  EXPECT_THAT(InProgress(), ElementsAre("1", "2"));
}

TEST_F(PostLimiterTest, ADestroyedDeliveryReleasesItsPermit) {
  {
    TaskGroup others;
    others.Start(Delivery("a", v1::PRIORITY_BULK));
    others.Start(Delivery("b", v1::PRIORITY_BULK));
    others.Start(Delivery("c", v1::PRIORITY_BULK));  // waits
    Deliver("d");
  }
  scheduler.Run();
  EXPECT_EQ(prepared.back(), "d");
  EXPECT_EQ(limiter.InProgress(), 1u);
}

TEST_F(PostLimiterTest, EndsAllWaitsWhenItIsClosed) {  // O8
  Deliver(5);
  EndPost("0");
  limiter.Close();
  scheduler.Run();
  EXPECT_THAT(late, ElementsAre("3"));
  EXPECT_THAT(refused, ElementsAre("4"));
  EndPost("1");
  EndPost("2");
  EXPECT_THAT(in_progress, IsEmpty());
  Deliver("later");
  EXPECT_EQ(refused.back(), "later");
}

}  // namespace
}  // namespace tocsin
