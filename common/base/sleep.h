// A sleep that a stop request ends.
#pragma once

#include <condition_variable>
#include <mutex>
#include <stop_token>

#include "common/base/time.h"

namespace tocsin {

// Blocks for `time`, less if a stop is requested. Returns false after a stop request.
inline bool SleepFor(Micros time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  stopped.wait_for(lock, stop, time, [] { return false; });
  return !stop.stop_requested();
}

}  // namespace tocsin
