#include "tools/twilio-sim/api/delayed_responses.h"

#include <chrono>
#include <utility>

namespace tocsin::sim {
namespace {

constexpr std::chrono::seconds kMaxWait{1};

}  // namespace

DelayedResponses::DelayedResponses()
    : thread_([this](const std::stop_token& stop) { Run(stop); }) {}

DelayedResponses::~DelayedResponses() {
  {
    const std::lock_guard lock(mutex_);
    thread_.request_stop();
  }
  earlier_.notify_all();
}

void DelayedResponses::After(std::chrono::milliseconds delay, std::function<void()> send) {
  const std::lock_guard lock(mutex_);
  const auto added = waiting_.emplace(std::chrono::steady_clock::now() + delay, std::move(send));
  if (added == waiting_.begin()) earlier_.notify_one();
}

void DelayedResponses::Run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    const SteadyTime now = std::chrono::steady_clock::now();
    if (waiting_.empty() || waiting_.begin()->first > now) {
      const SteadyTime latest = now + kMaxWait;
      earlier_.wait_until(lock,
                          waiting_.empty() ? latest : std::min(latest, waiting_.begin()->first));
      continue;
    }
    const auto next = waiting_.extract(waiting_.begin());
    lock.unlock();
    next.mapped()();
    lock.lock();
  }
}

}  // namespace tocsin::sim
