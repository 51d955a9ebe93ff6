#include "common/async/event_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/async/sync_wait.h"

namespace tocsin {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;

TEST(EventLoop, RunsPostedEventsInOrder) {
  EventLoop loop;
  std::vector<int> order;
  loop.Post([&] { order.push_back(1); });
  loop.Post([&] {
    order.push_back(2);
    loop.Post([&] {
      order.push_back(4);
      loop.Stop();
    });
    order.push_back(3);
  });
  loop.Run();
  EXPECT_THAT(order, ElementsAre(1, 2, 3, 4));
}

TEST(EventLoop, RunsTheEventsOfOtherThreads) {
  constexpr int kEvents = 1000;
  EventLoop loop;
  int ran = 0;
  const auto post = [&] {
    for (int i = 0; i < kEvents; ++i)
      loop.Post([&] {
        if (++ran == 2 * kEvents) loop.Stop();
      });
  };
  const std::jthread one(post);
  const std::jthread other(post);
  loop.Run();
  EXPECT_EQ(ran, 2 * kEvents);
}

TEST(EventLoop, RunsTimersInTheOrderOfTheirTimes) {
  EventLoop loop;
  std::vector<int> order;
  const SteadyTime begin = std::chrono::steady_clock::now();
  loop.After(milliseconds(20), [&] {
    order.push_back(3);
    loop.Stop();
  });
  loop.After(milliseconds(1), [&] { order.push_back(1); });
  loop.After(milliseconds(10), [&] { order.push_back(2); });
  loop.Run();
  EXPECT_THAT(order, ElementsAre(1, 2, 3));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(20));
}

TEST(EventLoop, ATimerMayStartAnother) {
  EventLoop loop;
  int ran = 0;
  std::function<void()> again = [&] {
    if (++ran == 3) return loop.Stop();
    loop.After(Micros(0), again);
  };
  loop.After(Micros(0), again);
  loop.Run();
  EXPECT_EQ(ran, 3);
}

TEST(EventLoop, SleepWaits) {
  EventLoop loop;
  const SteadyTime begin = std::chrono::steady_clock::now();
  const auto sleep = [&]() -> Task<bool> {
    co_await Sleep(loop, milliseconds(5));
    co_return true;
  };
  EXPECT_TRUE(SyncWait(loop, sleep()));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(5));
}

TEST(EventLoop, DropsEventsThatHaveNotRun) {
  const auto held = std::make_shared<int>(0);
  {
    EventLoop loop;
    loop.Post([held] {});
    loop.After(milliseconds(1), [held] {});
  }
  EXPECT_EQ(held.use_count(), 1);
}

class Pipe {
 public:
  Pipe() { EXPECT_EQ(pipe(ends_.data()), 0); }
  ~Pipe() {
    close(ends_[0]);
    close(ends_[1]);
  }
  int ReadEnd() const { return ends_[0]; }
  void Write(const std::string& text) const {
    EXPECT_EQ(write(ends_[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  std::string Read() const {
    std::array<char, 16> buffer{};
    const ssize_t size = read(ends_[0], buffer.data(), buffer.size());
    return size > 0 ? std::string(buffer.data(), static_cast<size_t>(size)) : "";
  }

 private:
  std::array<int, 2> ends_{};
};

TEST(FdWatcher, CallsTheFunctionWhenTheDescriptorIsReadable) {
  EventLoop loop;
  const Pipe pipe;
  std::string received;
  FdWatcher watcher(loop, pipe.ReadEnd(), [&](unsigned events) {
    EXPECT_EQ(events, FdWatcher::kReadable);
    received = pipe.Read();
    loop.Stop();
  });
  watcher.Watch(FdWatcher::kReadable);
  loop.Post([&] { pipe.Write("x"); });
  loop.Run();
  EXPECT_EQ(received, "x");
}

TEST(FdWatcher, MayBeDestroyedByTheFunctionThatItCalls) {
  EventLoop loop;
  const Pipe pipe;
  std::optional<FdWatcher> watcher;
  int calls = 0;
  watcher.emplace(loop, pipe.ReadEnd(), [&](unsigned) {
    ++calls;
    watcher.reset();
    loop.After(milliseconds(1), [&] { loop.Stop(); });
  });
  watcher->Watch(FdWatcher::kReadable);
  pipe.Write("x");
  loop.Run();
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace tocsin
