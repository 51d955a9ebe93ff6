// Periodic health checks of the dependencies.
#pragma once

#include <chrono>
#include <functional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "common/base/result.h"
#include "common/telemetry/readiness.h"

namespace tocsin::service {

struct HealthCheck {
  std::string dependency;
  std::function<Status()> check;  // blocks for a few seconds at most
  telemetry::DependencyRole role = telemetry::DependencyRole::kRequired;
  std::chrono::seconds interval{1};
};

// Runs the checks on its own thread, one after another: a slow check delays the others. Logs the
// changes of their results. The checks must stay valid for its lifetime.
class Health {
 public:
  // `on_round` is called with the readiness of the process after each round: for gRPC health.
  Health(telemetry::Readiness& readiness, std::vector<HealthCheck> checks,
         std::function<void(bool ready)> on_round = {});

 private:
  std::jthread thread_;
};

// Repeats `step` once per second until it succeeds (returns true) or a stop is requested (returns
// false). Calls `on_error` with each error.
bool RetryUntil(std::stop_token stop, const std::function<Status()>& step,
                const std::function<void(const Error&)>& on_error);

}  // namespace tocsin::service
