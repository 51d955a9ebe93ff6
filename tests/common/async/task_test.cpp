#include "common/async/task.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "common/async/callback.h"
#include "common/async/sync_wait.h"
#include "common/async/task_group.h"

namespace tocsin {
namespace {

Task<int> Answer() { co_return 42; }

Task<std::string> Describe() { co_return "the answer is " + std::to_string(co_await Answer()); }

TEST(Task, ReturnsTheValueOfTheTasksThatItAwaits) {
  EXPECT_EQ(RunReady(Describe()), "the answer is 42");
}

TEST(Task, DoesNotStartBeforeItIsAwaited) {
  bool started = false;
  const auto start = [&]() -> Task<void> {
    started = true;
    co_return;
  };
  { const Task<void> task = start(); }
  EXPECT_FALSE(started);
}

TEST(Task, ReturnsValuesThatCannotBeCopied) {
  const auto make = []() -> Task<std::unique_ptr<int>> { co_return std::make_unique<int>(7); };
  const auto value = RunReady(make());
  ASSERT_TRUE(value.has_value());
  EXPECT_EQ(**value, 7);
}

TEST(Task, ReturnsTheErrorOfAnAwaitedResult) {
  const auto fail = []() -> Task<Result<int>> {
    co_return Fail(ErrorCode::kOverloaded, "no room");
  };
  bool continued = false;
  const auto use = [&]() -> Task<Result<std::string>> {
    TOCSIN_CO_TRY(const int value, co_await fail());
    continued = true;
    co_return std::to_string(value);
  };
  const auto result = RunReady(use());
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->error().code, ErrorCode::kOverloaded);
  EXPECT_FALSE(continued);
}

TEST(AwaitCallback, ContinuesWhenTheCallbackIsCalled) {
  std::optional<Callback<int>> callback;
  int received = 0;
  const auto receive = [&]() -> Task<void> {
    const auto start = [&](const Callback<int>& done) { callback = done; };
    received = co_await AwaitCallback<int>(start);
  };
  TaskGroup group;
  group.Start(receive());
  EXPECT_EQ(group.Size(), 1u);
  (*callback)(5);
  EXPECT_EQ(received, 5);
  EXPECT_EQ(group.Size(), 0u);
}

TEST(AwaitCallback, AcceptsACallbackThatIsCalledAtOnce) {
  const auto start = [](const Callback<int>& done) { done(3); };
  EXPECT_EQ(RunReady(AwaitCallback<int>(start)), 3);
}

TEST(AwaitCallback, IgnoresACallbackAfterTheTaskWasDestroyed) {
  std::optional<Callback<int>> callback;
  bool resumed = false;
  const auto receive = [&]() -> Task<void> {
    const auto start = [&](const Callback<int>& done) { callback = done; };
    co_await AwaitCallback<int>(start);
    resumed = true;
  };
  {
    TaskGroup group;
    group.Start(receive());
    EXPECT_FALSE(callback->Abandoned());
  }
  EXPECT_TRUE(callback->Abandoned());
  (*callback)(5);
  EXPECT_FALSE(resumed);
}

TEST(TaskGroup, DestroysTheLocalVariablesOfTasksThatWait) {
  const auto held = std::make_shared<int>(1);
  const auto wait = [](std::shared_ptr<int> kept) -> Task<void> {
    const std::shared_ptr<int> local = std::move(kept);
    const auto never = [](const Callback<bool>&) {};
    co_await AwaitCallback<bool>(never);
  };
  {
    TaskGroup group;
    group.Start(wait(held));
    EXPECT_GT(held.use_count(), 1);
  }
  EXPECT_EQ(held.use_count(), 1);
}

TEST(TaskGroup, LetsATaskStartAnother) {
  TaskGroup group;
  bool ran = false;
  const auto second = [&]() -> Task<void> {
    ran = true;
    co_return;
  };
  const auto first = [&]() -> Task<void> {
    group.Start(second());
    co_return;
  };
  group.Start(first());
  EXPECT_TRUE(ran);
  EXPECT_EQ(group.Size(), 0u);
}

}  // namespace
}  // namespace tocsin
