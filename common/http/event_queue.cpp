#include "common/http/event_queue.h"

#include <sys/eventfd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace tocsin::http {

EventQueue::EventQueue() : wakeup_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (!wakeup_) throw std::system_error(errno, std::generic_category(), "eventfd");
}

void EventQueue::Push(WorkerEvent event) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    events_.push_back(std::move(event));
    if (!std::exchange(wakeup_needed_, false)) return;
  }
  ::eventfd_write(wakeup_.get(), 1);  // fails only if the counter would overflow 64 bits
}

void EventQueue::PopAll(std::vector<WorkerEvent>& empty) {
  const std::lock_guard lock(mutex_);
  wakeup_needed_ = events_.empty();
  events_.swap(empty);
}

void EventQueue::SuppressWakeup() {
  const std::lock_guard lock(mutex_);
  wakeup_needed_ = false;
}

void EventQueue::Close() {
  std::vector<WorkerEvent> unprocessed;  // destroyed after the lock is released
  const std::lock_guard lock(mutex_);
  closed_ = true;
  events_.swap(unprocessed);
}

void EventQueue::ClearWakeup() const {
  eventfd_t count = 0;
  ::eventfd_read(wakeup_.get(), &count);
}

}  // namespace tocsin::http
