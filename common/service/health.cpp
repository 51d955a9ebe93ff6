#include "common/service/health.h"

#include <condition_variable>
#include <mutex>
#include <utility>

namespace tocsin::service {
namespace {

constexpr std::chrono::seconds kAskEvery{1};

// False when a stop was asked for meanwhile.
bool Pause(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any woken;
  std::unique_lock lock(mutex);
  woken.wait_for(lock, stop, kAskEvery, [] { return false; });
  return !stop.stop_requested();
}

}  // namespace

Health::Health(telemetry::Readiness& readiness, std::vector<HealthCheck> checks) {
  for (const HealthCheck& check : checks) readiness.Declare(check.dependency, check.role);
  thread_ = std::jthread([&readiness, checks = std::move(checks)](std::stop_token stop) {
    do {
      for (const HealthCheck& check : checks) {
        const Status status = check.ask();
        readiness.Set(check.dependency, status.has_value(), status ? "" : status.error().message);
      }
    } while (Pause(stop));
  });
}

bool RetryUntil(std::stop_token stop, const std::function<Status()>& step,
                const std::function<void(const Error&)>& failed) {
  while (!stop.stop_requested()) {
    const Status status = step();
    if (status) return true;
    failed(status.error());
    Pause(stop);
  }
  return false;
}

}  // namespace tocsin::service
