// Asks each neighbour how it is, once a second unless its check says otherwise.
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
  std::function<Status()> ask;  // blocks a few seconds at most
  telemetry::Role role = telemetry::Role::kRequired;
  std::chrono::seconds every{1};
};

// A thread of its own; what the checks use must outlive it. A slow neighbour delays the answers
// about the others by its time-out.
class Health {
 public:
  // `told` hears after every round whether the process is ready; for gRPC health.
  Health(telemetry::Readiness& readiness, std::vector<HealthCheck> checks,
         std::function<void(bool ready)> told = {});

 private:
  std::jthread thread_;
};

// Repeats `step` once a second until it succeeds (true) or a stop is asked for (false). `failed`
// hears each error.
bool RetryUntil(std::stop_token stop, const std::function<Status()>& step,
                const std::function<void(const Error&)>& failed);

}  // namespace tocsin::service
