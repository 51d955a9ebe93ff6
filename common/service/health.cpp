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

Health::Health(telemetry::Readiness& readiness, std::vector<HealthCheck> checks,
               std::function<void(bool ready)> told) {
  for (const HealthCheck& check : checks) readiness.Declare(check.dependency, check.role);
  thread_ = std::jthread([&readiness, checks = std::move(checks),
                          told = std::move(told)](std::stop_token stop) {
    std::vector<SteadyTime> due(checks.size(), std::chrono::steady_clock::now());
    do {
      for (size_t i = 0; i < checks.size(); ++i) {
        const HealthCheck& check = checks[i];
        if (std::chrono::steady_clock::now() < due[i]) continue;
        const Status status = check.ask();
        readiness.Set(check.dependency, status.has_value(), status ? "" : status.error().message);
        due[i] = std::chrono::steady_clock::now() + check.every;
      }
      if (told) told(readiness.ready());
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
