// Runs a task on fakes, which never wait.
#pragma once

#include <cstdlib>
#include <utility>

#include "common/async/sync_wait.h"

namespace tocsin {

// Returns the value of a task that ends without waiting; aborts if it waits.
template <typename T>
T Await(Task<T> task) {
  auto value = RunReady(std::move(task));
  if (!value) std::abort();
  return *std::move(value);
}

}  // namespace tocsin
