// A thread that runs an event loop.
#pragma once

#include <thread>

#include "common/async/event_loop.h"

namespace tocsin {

// Runs the loop from construction to destruction. Construct it after everything that uses the loop,
// so that it is destroyed first.
class LoopThread {
 public:
  explicit LoopThread(EventLoop& loop) : loop_(loop), thread_([&loop] { loop.Run(); }) {}
  ~LoopThread() {
    loop_.Stop();
    thread_.join();
  }
  LoopThread(const LoopThread&) = delete;
  LoopThread& operator=(const LoopThread&) = delete;

 private:
  EventLoop& loop_;
  std::thread thread_;
};

}  // namespace tocsin
