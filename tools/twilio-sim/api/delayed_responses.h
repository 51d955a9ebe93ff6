// Sends responses later, without holding a thread of the server.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include "common/base/time.h"

namespace tocsin::sim {

// One thread. Responses that were not sent when it is destroyed are never sent.
class DelayedResponses {
 public:
  DelayedResponses();
  ~DelayedResponses();
  DelayedResponses(const DelayedResponses&) = delete;
  DelayedResponses& operator=(const DelayedResponses&) = delete;

  // Calls `send`, which must not block, on the thread after `delay`. The server's limit of requests
  // in flight limits how many wait.
  void After(std::chrono::milliseconds delay, std::function<void()> send);

 private:
  void Run(const std::stop_token& stop);

  std::mutex mutex_;
  std::condition_variable earlier_;  // an earlier response was added
  std::multimap<SteadyTime, std::function<void()>> waiting_;
  std::jthread thread_;
};

}  // namespace tocsin::sim
