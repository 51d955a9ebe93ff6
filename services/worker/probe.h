// The metrics, log lines and readiness of the delivery core.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "common/delivery/probe.h"
#include "common/service/runtime.h"

namespace tocsin::worker {

// Declares the readiness dependency "claims". `runtime` outlives it. Thread-safe.
class WorkerProbe final : public DeliveryProbe {
 public:
  // `name`: value of the label `channel`.
  WorkerProbe(service::Runtime& runtime, v1::Channel channel, const std::string& name);

  void OnDelivered(DeliveryResult result, Micros duration) override;
  void OnSubmitted(v1::Priority priority, Micros latency) override;
  void OnDependencyError(const Error& error) override;
  void OnReconciliationRun(std::size_t count) override;
  void OnReconciled(Finding finding) override;
  void OnClaimsUsable(bool usable) override;
  void OnClaimsRestored(std::size_t count, bool complete) override;

 private:
  service::Runtime& runtime_;
  std::map<DeliveryResult, telemetry::Counter*> deliveries_;
  telemetry::Histogram& delivery_seconds_;
  const std::function<void(v1::Priority, Micros)> observe_submit_latency_;
  telemetry::Gauge& unreconciled_attempts_;
  std::map<Finding, telemetry::Counter*> reconciliations_;
};

}  // namespace tocsin::worker
