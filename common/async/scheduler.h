// Runs functions later, as an argument of code that waits.
#pragma once

#include <functional>

#include "common/async/callback.h"
#include "common/async/task.h"
#include "common/base/time.h"

namespace tocsin {

class Scheduler {
 public:
  virtual ~Scheduler() = default;

  // Calls `event` on the scheduler's thread as soon as possible, in the order of the calls. Never
  // blocks. Safe to call on any thread.
  virtual void Post(std::function<void()> event) = 0;

  // Calls `event` once, `delay` from now or up to a millisecond later. On the scheduler's thread
  // only.
  virtual void After(Micros delay, std::function<void()> event) = 0;
};

inline Task<void> Sleep(Scheduler& scheduler, Micros time) {
  const auto start = [&](const Callback<bool>& done) {
    scheduler.After(time, [done] { done(true); });
  };
  co_await AwaitCallback<bool>(start);
}

}  // namespace tocsin
