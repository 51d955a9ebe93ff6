#include "common/service/health.h"

#include <optional>
#include <utility>

#include "common/base/sleep.h"
#include "common/telemetry/log.h"

namespace tocsin::service {
namespace {

constexpr std::chrono::seconds kInterval{1};

// Logs the state of a dependency when it changes.
class StateLog {
 public:
  void Report(const std::string& dependency, const Status& status) {
    std::optional<std::string> error;
    if (!status) error = status.error().message;
    if (error == last_error_) return;
    if (error)
      telemetry::Log(telemetry::Severity::kWarn, "dependency.down", *error,
                     {{"dependency", dependency}});
    else
      telemetry::Log(telemetry::Severity::kInfo, "dependency.up", "responds again",
                     {{"dependency", dependency}});
    last_error_ = std::move(error);
  }

 private:
  std::optional<std::string> last_error_;
};

}  // namespace

Health::Health(telemetry::Readiness& readiness, std::vector<HealthCheck> checks,
               std::function<void(bool ready)> on_round) {
  for (const HealthCheck& check : checks) readiness.Declare(check.dependency, check.role);
  thread_ = std::jthread([&readiness, checks = std::move(checks),
                          on_round = std::move(on_round)](std::stop_token stop) {
    std::vector<StateLog> logs(checks.size());
    std::vector<SteadyTime> due(checks.size(), std::chrono::steady_clock::now());
    do {
      for (size_t i = 0; i < checks.size(); ++i) {
        const HealthCheck& check = checks[i];
        if (std::chrono::steady_clock::now() < due[i]) continue;
        const Status status = check.check();
        logs[i].Report(check.dependency, status);
        readiness.Set(check.dependency, status.has_value(), status ? "" : status.error().message);
        due[i] = std::chrono::steady_clock::now() + check.interval;
      }
      if (on_round) on_round(readiness.ready());
    } while (SleepFor(kInterval, stop));
  });
}

bool RetryUntil(std::stop_token stop, const std::function<Status()>& step,
                const std::function<void(const Error&)>& on_error) {
  while (!stop.stop_requested()) {
    const Status status = step();
    if (status) return true;
    on_error(status.error());
    SleepFor(kInterval, stop);
  }
  return false;
}

}  // namespace tocsin::service
