// Threads for the calls that block, so that a loop does not.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include "common/async/callback.h"
#include "common/async/scheduler.h"
#include "common/async/task.h"

namespace tocsin {

// Runs functions in the order of the calls, each on one of its threads. Their number is not
// bounded: the tasks that wait for them are. Safe to use from several threads.
class BlockingPool {
 public:
  explicit BlockingPool(std::size_t threads);
  // Drops functions that have not started; blocks until the others have ended.
  ~BlockingPool();

  void Run(std::function<void()> function);

 private:
  void Serve(const std::stop_token& stop);

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<std::function<void()>> waiting_;
  std::vector<std::jthread> threads_;
};

// Runs `function` on a thread of the pool; the task continues on the scheduler's thread. `function`
// runs to its end even if the task is destroyed, so it must own what it uses. The scheduler
// outlives the pool.
template <typename Function>
auto RunBlocking(BlockingPool& pool, Scheduler& scheduler, Function function)
    -> Task<decltype(function())> {
  using T = decltype(function());
  const auto start = [&](const Callback<T>& done) {
    pool.Run([&scheduler, done, run = std::move(function)]() mutable {
      const auto value = std::make_shared<T>(run());  // std::function must be copyable
      scheduler.Post([done, value] { done(std::move(*value)); });
    });
  };
  co_return co_await AwaitCallback<T>(start);
}

}  // namespace tocsin
