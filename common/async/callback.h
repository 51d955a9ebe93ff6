// Awaits an operation that reports its result by a callback.
#pragma once

#include <coroutine>
#include <memory>
#include <optional>
#include <utility>

#include "common/async/task.h"

namespace tocsin {

// The callback that an operation gets. It is called on the thread of the task, and resumes the task
// before it returns. Only the first call counts; it does nothing after the task was destroyed.
template <typename T>
class Callback {
 public:
  void operator()(T value) const {
    if (state_->abandoned || state_->value) return;
    state_->value.emplace(std::move(value));
    if (const auto awaiting = std::exchange(state_->awaiting, nullptr)) awaiting.resume();
  }

  // True if nobody awaits the result any more.
  bool Abandoned() const { return state_->abandoned; }

 private:
  template <typename Value, typename Start>
  friend Task<Value> AwaitCallback(Start start);

  struct State {
    std::optional<T> value;
    std::coroutine_handle<> awaiting = nullptr;
    bool abandoned = false;
  };

  // Awaits the state, and marks it as abandoned when the task is destroyed.
  struct Awaiter {
    std::shared_ptr<State> state;
    explicit Awaiter(std::shared_ptr<State> awaited) : state(std::move(awaited)) {}
    Awaiter(const Awaiter&) = delete;
    Awaiter& operator=(const Awaiter&) = delete;
    ~Awaiter() { state->abandoned = true; }
    bool await_ready() const noexcept { return state->value.has_value(); }
    void await_suspend(std::coroutine_handle<> awaiting) const noexcept {
      state->awaiting = awaiting;
    }
    T await_resume() const { return *std::move(state->value); }
  };

  std::shared_ptr<State> state_ = std::make_shared<State>();
};

// Calls `start` with a Callback<T> and returns the value that the callback is called with. `start`
// may call it at once.
//
//   const int value = co_await AwaitCallback<int>([&](Callback<int> done) { Begin(done); });
template <typename T, typename Start>
Task<T> AwaitCallback(Start start) {
  Callback<T> callback;
  typename Callback<T>::Awaiter awaiter(callback.state_);
  start(callback);
  co_return co_await awaiter;
}

}  // namespace tocsin
