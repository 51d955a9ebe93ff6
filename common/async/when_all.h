// Awaits several tasks that run at the same time.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <utility>
#include <vector>

#include "common/async/task.h"

namespace tocsin {
namespace internal {

struct WhenAllState {
  std::size_t open = 0;  // tasks that have not ended, and 1 while they are started
  std::coroutine_handle<> awaiting = nullptr;
};

// Runs one task. The last one that ends resumes the awaiting coroutine.
class WhenAllTask {
 public:
  struct promise_type {
    // The state is the first parameter of Run().
    promise_type(WhenAllState& shared, const Task<void>&) : state(shared) {}

    struct ResumeIfLast {
      bool await_ready() const noexcept { return false; }
      std::coroutine_handle<> await_suspend(
          std::coroutine_handle<promise_type> ended) const noexcept {
        WhenAllState& state = ended.promise().state;
        return --state.open == 0 ? state.awaiting : std::noop_coroutine();
      }
      void await_resume() const noexcept {}
    };

    WhenAllTask get_return_object() {
      return WhenAllTask(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    ResumeIfLast final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }

    WhenAllState& state;
  };

  static WhenAllTask Run(WhenAllState& /*state*/, Task<void> task) { co_await std::move(task); }

  WhenAllTask(WhenAllTask&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  WhenAllTask& operator=(WhenAllTask&&) = delete;
  ~WhenAllTask() {
    if (handle_) handle_.destroy();
  }

  void Start() const { handle_.resume(); }

 private:
  explicit WhenAllTask(std::coroutine_handle<promise_type> handle) : handle_(handle) {}

  std::coroutine_handle<promise_type> handle_;
};

struct WhenAllAwaiter {
  WhenAllState& state;
  const std::vector<WhenAllTask>& running;

  bool await_ready() const noexcept { return false; }
  // False if all have ended.
  bool await_suspend(std::coroutine_handle<> awaiting) const {
    state.awaiting = awaiting;
    state.open = running.size() + 1;
    for (const WhenAllTask& task : running) task.Start();
    return --state.open != 0;
  }
  void await_resume() const noexcept {}
};

}  // namespace internal

// Starts all tasks in their order and ends when all have ended. Its destructor ends those that
// wait.
//
//   co_await WhenAll(std::move(tasks));
inline Task<void> WhenAll(std::vector<Task<void>> tasks) {
  internal::WhenAllState state;
  std::vector<internal::WhenAllTask> running;
  running.reserve(tasks.size());
  for (Task<void>& task : tasks)
    running.push_back(internal::WhenAllTask::Run(state, std::move(task)));
  const internal::WhenAllAwaiter awaiter{state, running};
  co_await awaiter;
}

}  // namespace tocsin
