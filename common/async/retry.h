// The one loop that repeats a task until it succeeds.
#pragma once

#include <algorithm>

#include "common/async/task.h"
#include "common/base/retry_loop.h"

namespace tocsin {

// RetryLoop for tasks: `operation` returns a Task of a Result, `sleep` a Task<bool>. The functions
// must outlive the task.
template <typename Operation, typename Sleep, typename OnError>
auto RetryTask(RetryDelays delays, Operation& operation, Sleep& sleep, OnError& on_error)
    -> decltype(operation()) {
  Micros delay = delays.initial;
  while (true) {
    auto result = co_await operation();
    if (result) co_return result;
    on_error(result.error());
    const bool continues = co_await sleep(delay);
    if (!continues) co_return result;
    delay = std::min(delay * 2, delays.max);
  }
}

}  // namespace tocsin
