// Waiting for effects of other threads, without fixed sleeps.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <utility>

namespace tocsin::kafka {

constexpr std::chrono::seconds kWaitTimeout{60};  // reached only when a test fails

// A value that several threads change and a test waits for.
template <typename T>
class Watched {
 public:
  template <typename Change>
  auto Edit(Change change) {
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
    return change(value_);
  }
  template <typename Condition>
  bool Wait(Condition condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kWaitTimeout, [&] { return condition(std::as_const(value_)); });
  }
  T Get() {
    const std::lock_guard lock(mutex_);
    return value_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  T value_{};
};

// Polls until `condition` holds, for state without a notification.
inline bool Eventually(const std::function<bool()>& condition) {
  std::mutex mutex;
  std::condition_variable never;
  const auto deadline = std::chrono::steady_clock::now() + kWaitTimeout;
  while (std::chrono::steady_clock::now() < deadline) {
    if (condition()) return true;
    std::unique_lock lock(mutex);
    never.wait_for(lock, std::chrono::milliseconds(5));
  }
  return condition();
}

}  // namespace tocsin::kafka
