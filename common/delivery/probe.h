// What the delivery core reports for metrics, logs and readiness.
#pragma once

#include <cstddef>

#include "common/base/error.h"
#include "common/base/time.h"
#include "common/delivery/delivery_result.h"
#include "common/domain/delivery/unreconciled_attempt.h"

namespace tocsin {

// The core calls these on its own threads, several at a time. They must not block. The defaults do
// nothing.
class DeliveryProbe {
 public:
  virtual ~DeliveryProbe() = default;

  // A record left the delivery core after `duration`.
  virtual void OnDelivered(DeliveryResult /*result*/, Micros /*duration*/) {}

  // Twilio accepted the first attempt of a step, `latency` after the alert was accepted or due.
  virtual void OnSubmitted(v1::Priority /*priority*/, Micros /*latency*/) {}

  // A dependency failed. The operation is retried.
  virtual void OnDependencyError(const Error& /*error*/) {}

  // A reconciliation run started while `count` attempts were unreconciled.
  virtual void OnReconciliationRun(std::size_t /*count*/) {}

  // One attempt was looked up at the provider.
  virtual void OnReconciled(Finding /*finding*/) {}

  // Whether the claim store may be used, from now on.
  virtual void OnClaimsUsable(bool /*usable*/) {}

  // This process restored claims from `count` records of the log; `complete`: from all of them that
  // were not restored yet.
  virtual void OnClaimsRestored(std::size_t /*count*/, bool /*complete*/) {}
};

}  // namespace tocsin
