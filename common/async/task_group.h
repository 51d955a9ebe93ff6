// Starts tasks that nobody awaits.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <unordered_set>
#include <utility>

#include "common/async/task.h"

namespace tocsin {

// The tasks that it started and that have not ended. Its destructor ends those that wait. Used on
// one thread.
class TaskGroup {
 public:
  TaskGroup() = default;
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;
  ~TaskGroup() { Clear(); }

  // Runs the task until it waits for the first time.
  void Start(Task<void> task) { Run(*this, std::move(task)); }

  // Ends the tasks that wait. Not on one of them.
  void Clear() {
    while (!running_.empty()) {
      const std::coroutine_handle<> task = *running_.begin();
      running_.erase(running_.begin());
      task.destroy();
    }
  }

  std::size_t Size() const { return running_.size(); }

 private:
  // A coroutine that destroys itself when it ends.
  struct Root {
    struct promise_type {
      // The group is the first parameter of Run().
      promise_type(TaskGroup& owner, const Task<void>&) : group(owner) {}
      Root get_return_object() {
        group.running_.insert(std::coroutine_handle<promise_type>::from_promise(*this));
        return {};
      }
      std::suspend_never initial_suspend() const noexcept { return {}; }
      std::suspend_never final_suspend() noexcept {
        group.running_.erase(std::coroutine_handle<promise_type>::from_promise(*this));
        return {};
      }
      void return_void() const noexcept {}
      [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }

      TaskGroup& group;
    };
  };

  static Root Run(TaskGroup& /*group*/, Task<void> task) { co_await std::move(task); }

  struct HashOfHandle {
    std::size_t operator()(std::coroutine_handle<> handle) const {
      return std::hash<void*>()(handle.address());
    }
  };
  std::unordered_set<std::coroutine_handle<>, HashOfHandle> running_;
};

}  // namespace tocsin
