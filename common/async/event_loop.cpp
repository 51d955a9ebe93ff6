#include "common/async/event_loop.h"

#include <uv.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace tocsin {
namespace {

// libuv fails only if memory or descriptors are exhausted, or on misuse.
void Check(int code) {
  if (code < 0) std::abort();
}

}  // namespace

EventLoop::EventLoop()
    : loop_(std::make_unique<uv_loop_t>()),
      wake_(std::make_unique<uv_async_t>()),
      timer_(std::make_unique<uv_timer_t>()) {
  Check(uv_loop_init(loop_.get()));
  Check(uv_async_init(loop_.get(), wake_.get(),
                      [](uv_async_t* wake) { static_cast<EventLoop*>(wake->data)->RunPosted(); }));
  Check(uv_timer_init(loop_.get(), timer_.get()));
  wake_->data = timer_->data = this;
}

EventLoop::~EventLoop() {
  uv_close(reinterpret_cast<uv_handle_t*>(wake_.get()), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(timer_.get()), nullptr);
  uv_run(loop_.get(), UV_RUN_DEFAULT);  // until the handles are closed
  Check(uv_loop_close(loop_.get()));
}

void EventLoop::Run() { uv_run(loop_.get(), UV_RUN_DEFAULT); }

void EventLoop::Stop() {
  Post([this] { uv_stop(loop_.get()); });
}

void EventLoop::Post(std::function<void()> event) {
  const std::lock_guard lock(mutex_);
  posted_.push_back(std::move(event));
  if (std::exchange(wake_sent_, true)) return;
  uv_async_send(wake_.get());
}

void EventLoop::RunPosted() {
  std::vector<std::function<void()>> events;
  {
    const std::lock_guard lock(mutex_);
    events.swap(posted_);
    wake_sent_ = false;
  }
  for (const auto& event : events) event();
}

void EventLoop::After(Micros delay, std::function<void()> event) {
  const SteadyTime due = std::chrono::steady_clock::now() + std::max(delay, Micros(0));
  const auto timer = timers_.emplace(due, std::move(event));
  if (timer == timers_.begin()) StartTimer();
}

void EventLoop::StartTimer() {
  uv_timer_stop(timer_.get());
  if (timers_.empty()) return;
  // libuv's timers count from the time at which its loop woke up.
  uv_update_time(loop_.get());
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(timers_.begin()->first -
                                                                 std::chrono::steady_clock::now());
  const auto timeout = static_cast<std::uint64_t>(std::max<std::int64_t>(left.count(), 0));
  Check(uv_timer_start(
      timer_.get(), [](uv_timer_t* timer) { static_cast<EventLoop*>(timer->data)->RunDue(); },
      timeout, 0));
}

void EventLoop::RunDue() {
  const SteadyTime now = std::chrono::steady_clock::now();
  while (!timers_.empty() && timers_.begin()->first <= now) {
    const auto event = std::move(timers_.extract(timers_.begin()).mapped());
    event();
  }
  StartTimer();
}

// --- FdWatcher
// ------------------------------------------------------------------------------------

struct FdWatcher::Handle {
  uv_poll_t poll;
  std::function<void(unsigned)> handle;
};

FdWatcher::FdWatcher(EventLoop& loop, int fd, std::function<void(unsigned)> handle)
    : handle_(new Handle{{}, std::move(handle)}) {
  Check(uv_poll_init(loop.loop_.get(), &handle_->poll, fd));
  handle_->poll.data = handle_;
}

FdWatcher::~FdWatcher() {
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_->poll),
           [](uv_handle_t* closed) { delete static_cast<Handle*>(closed->data); });
}

void FdWatcher::Watch(unsigned events) {
  if (events == kNone) {
    uv_poll_stop(&handle_->poll);
    return;
  }
  const int wanted =
      (events & kReadable ? UV_READABLE : 0) | (events & kWritable ? UV_WRITABLE : 0);
  Check(uv_poll_start(&handle_->poll, wanted, [](uv_poll_t* poll, int status, int ready) {
    const unsigned events_ready = status < 0 ? kReadable | kWritable
                                             : (ready & UV_READABLE ? kReadable : 0u) |
                                                   (ready & UV_WRITABLE ? kWritable : 0u);
    // A copy: the function may destroy the watcher.
    const auto handle = static_cast<Handle*>(poll->data)->handle;
    handle(events_ready);
  }));
}

}  // namespace tocsin
