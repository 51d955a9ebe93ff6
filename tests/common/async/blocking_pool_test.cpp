#include "common/async/blocking_pool.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <thread>

#include "common/async/sync_wait.h"

namespace tocsin {
namespace {

TEST(BlockingPool, RunsTheFunctionOnAnotherThreadAndTheTaskOnItsOwn) {
  EventLoop loop;
  BlockingPool pool(1);
  std::thread::id after;
  const auto run = [&]() -> Task<std::thread::id> {
    const auto read_id = [] { return std::this_thread::get_id(); };
    const std::thread::id id = co_await RunBlocking(pool, loop, read_id);
    after = std::this_thread::get_id();
    co_return id;
  };
  EXPECT_NE(SyncWait(loop, run()), std::this_thread::get_id());
  EXPECT_EQ(after, std::this_thread::get_id());
}

TEST(BlockingPool, FunctionsOfSeveralThreadsRunConcurrently) {
  EventLoop loop;
  BlockingPool pool(2);
  std::promise<void> released;
  bool ended = false;
  const auto wait = [&]() -> Task<void> {
    const auto function = [&] {
      released.get_future().wait();
      return true;
    };
    ended = co_await RunBlocking(pool, loop, function);
    loop.Stop();
  };
  const auto release = [&]() -> Task<bool> {
    const auto function = [&] {
      released.set_value();
      return true;
    };
    co_return co_await RunBlocking(pool, loop, function);
  };
  TaskGroup group;
  group.Start(wait());
  EXPECT_TRUE(SyncWait(loop, release()));
  while (!ended) loop.Run();
  EXPECT_TRUE(ended);
}

TEST(BlockingPool, MayRunAFunctionWhoseTaskWasDestroyed) {
  EventLoop loop;
  const auto held = std::make_shared<int>(0);
  std::promise<void> ran;
  {
    BlockingPool pool(1);
    TaskGroup group;
    const auto run = [&]() -> Task<void> {
      const auto function = [held, &ran] {
        ran.set_value();
        return true;
      };
      co_await RunBlocking(pool, loop, function);
    };
    group.Start(run());
    group.Clear();
    ran.get_future().wait();
  }
  loop.Post([&] { loop.Stop(); });
  loop.Run();
  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace tocsin
