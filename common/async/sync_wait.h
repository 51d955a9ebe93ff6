// Runs a task to its end.
#pragma once

#include <optional>
#include <utility>

#include "common/async/event_loop.h"
#include "common/async/task.h"
#include "common/async/task_group.h"

namespace tocsin {

// Runs the loop on the calling thread until the task has ended, and returns its value. For tests
// and tools.
template <typename T>
T SyncWait(EventLoop& loop, Task<T> task) {
  std::optional<T> value;
  TaskGroup group;
  const auto run = [&](Task<T> awaited) -> Task<void> {
    value.emplace(co_await std::move(awaited));
    loop.Stop();
  };
  group.Start(run(std::move(task)));
  while (!value) loop.Run();  // another event may have stopped the loop
  return *std::move(value);
}

// The same for a task that never waits for a loop, such as one on the fakes of ports. Nothing if it
// waits.
template <typename T>
std::optional<T> RunReady(Task<T> task) {
  std::optional<T> value;
  TaskGroup group;
  const auto run = [&](Task<T> awaited) -> Task<void> {
    value.emplace(co_await std::move(awaited));
  };
  group.Start(run(std::move(task)));
  return value;
}

}  // namespace tocsin
