// The one loop that repeats an operation until it succeeds.
#pragma once

#include <algorithm>

#include "common/base/result.h"
#include "common/base/time.h"

namespace tocsin {

// The delay before the first retry; doubles with each further retry, up to `max`.
struct RetryDelays {
  Micros initial;
  Micros max;
};

// Calls `operation` (returns a Result) until it succeeds. After a failure calls `on_error` with the
// Error, then `sleep` with the delay; ends when `sleep` returns false, because of a stop request.
// Returns the last result.
//
//   const Status connected = RetryLoop(
//       {1s, 1s}, [&] { return Connect(); },
//       [&](Micros delay) { return SleepFor(delay, stop); },
//       [&](const Error& error) { probe.OnDependencyError(error); });
template <typename Operation, typename Sleep, typename OnError>
auto RetryLoop(const RetryDelays& delays, Operation&& operation, Sleep&& sleep, OnError&& on_error)
    -> decltype(operation()) {
  Micros delay = delays.initial;
  while (true) {
    auto result = operation();
    if (result) return result;
    on_error(result.error());
    if (!sleep(delay)) return result;
    delay = std::min(delay * 2, delays.max);
  }
}

}  // namespace tocsin
