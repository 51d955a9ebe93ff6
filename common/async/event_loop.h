// The thread-bound loop that runs tasks: events, timers and file descriptors (libuv).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "common/async/scheduler.h"

struct uv_loop_s;
struct uv_async_s;
struct uv_timer_s;
struct uv_poll_s;

namespace tocsin {

// Everything but Post() and Stop() is used on the thread that calls Run(), or before it runs.
class EventLoop final : public Scheduler {
 public:
  EventLoop();
  // Drops events that have not run. FdWatchers must have been destroyed.
  ~EventLoop() override;
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Runs events until Stop(). May be called again afterwards.
  void Run();

  // Ends Run() after the current event. Safe to call on any thread.
  void Stop();

  void Post(std::function<void()> event) override;
  void After(Micros delay, std::function<void()> event) override;

 private:
  friend class FdWatcher;

  void RunPosted();
  void RunDue();
  void StartTimer();

  const std::unique_ptr<uv_loop_s> loop_;
  const std::unique_ptr<uv_async_s> wake_;
  const std::unique_ptr<uv_timer_s> timer_;
  std::multimap<SteadyTime, std::function<void()>> timers_;

  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;
  bool wake_sent_ = false;
};

// Calls a function while a file descriptor is ready. Used on the loop's thread; destroyed before
// the descriptor is closed, and before the loop. May be destroyed by the function that it calls.
class FdWatcher {
 public:
  enum Events : unsigned { kNone = 0, kReadable = 1, kWritable = 2 };  // a set of bits

  // `handle` gets the events that are ready; on an error of the descriptor both.
  FdWatcher(EventLoop& loop, int fd, std::function<void(unsigned events)> handle);
  ~FdWatcher();
  FdWatcher(const FdWatcher&) = delete;
  FdWatcher& operator=(const FdWatcher&) = delete;

  // Watches for these events from now on.
  void Watch(unsigned events);

 private:
  struct Handle;
  Handle* handle_;  // deletes itself when libuv has closed it
};

}  // namespace tocsin
