// A timer on an event loop that can be moved and stopped.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "common/async/event_loop.h"
#include "common/base/time.h"

namespace tocsin::twilio {

// EventLoop::After() cannot be cancelled. This timer starts one only if none that is pending fires
// in time, so that moving it to a later time, once for each request, leaves nothing behind. Used on
// the loop's thread. May be destroyed while timers of the loop are pending.
class LoopTimer {
 public:
  // Calls `handle` when the timer is due. `loop` outlives the timer.
  LoopTimer(EventLoop& loop, std::function<void()> handle)
      : state_(std::make_shared<State>(loop, std::move(handle))) {}

  // Replaces the time. Nothing stops the timer.
  void Set(std::optional<SteadyTime> due) {
    state_->due = due;
    Start(state_);
  }

 private:
  struct State {
    State(EventLoop& owner, std::function<void()> function)
        : loop(owner), handle(std::move(function)) {}

    EventLoop& loop;
    const std::function<void()> handle;
    std::optional<SteadyTime> due;
    std::multiset<SteadyTime> pending;  // when the loop's timers fire
  };

  static void Start(const std::shared_ptr<State>& state) {
    if (!state->due) return;
    if (!state->pending.empty() && *state->pending.begin() <= *state->due) return;
    const SteadyTime time = *state->due;
    state->pending.insert(time);
    const auto delay = std::chrono::ceil<Micros>(time - std::chrono::steady_clock::now());
    state->loop.After(delay, [weak = std::weak_ptr(state), time] {
      if (const auto alive = weak.lock()) Fire(alive, time);
    });
  }

  static void Fire(const std::shared_ptr<State>& state, SteadyTime time) {
    state->pending.erase(state->pending.find(time));
    if (!state->due) return;
    if (*state->due > std::chrono::steady_clock::now()) {
      Start(state);
      return;
    }
    state->due.reset();
    state->handle();
  }

  const std::shared_ptr<State> state_;
};

}  // namespace tocsin::twilio
