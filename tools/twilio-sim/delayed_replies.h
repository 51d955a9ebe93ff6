// Answers that go out later: latency, slowness and silence, without holding a thread of the server.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include "common/base/time.h"

namespace tocsin::sim {

// One thread. What has not gone out when it is destroyed never does.
class DelayedReplies {
 public:
  DelayedReplies();
  ~DelayedReplies();
  DelayedReplies(const DelayedReplies&) = delete;
  DelayedReplies& operator=(const DelayedReplies&) = delete;

  // Calls `send` on the thread after `delay`; it must not block. The server's bound on requests in
  // flight bounds how many wait.
  void After(std::chrono::milliseconds delay, std::function<void()> send);

 private:
  void Run(const std::stop_token& stop);

  std::mutex mutex_;
  std::condition_variable earlier_;
  std::multimap<SteadyTime, std::function<void()>> waiting_;
  std::jthread thread_;
};

}  // namespace tocsin::sim
