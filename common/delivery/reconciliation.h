// Reconciliation: asks the provider for statuses and prices that no callback reported.
#pragma once

#include <functional>
#include <stop_token>

#include "common/base/result.h"
#include "common/delivery/callback_handler.h"
#include "common/delivery/probe.h"
#include "common/domain/delivery/unreconciled_attempt.h"
#include "common/ports/clock.h"
#include "common/ports/provider_lookup.h"
#include "common/ports/record_log.h"
#include "common/ports/registry_source.h"
#include "common/ports/topics.h"
#include "common/ports/unreconciled_attempts.h"

namespace tocsin {

constexpr size_t kAttemptsPerRun = 100;
constexpr std::chrono::seconds kLookupTimeout{5};         // of one request to the provider
constexpr Micros kBetweenRuns = std::chrono::seconds(5);  // after a run that was not full
constexpr size_t kMaxFailuresInARow = 3;                  // ends the run
constexpr std::chrono::minutes kAfterFailure{1};          // until the next fetch

struct ReconciliationSettings {
  ReconcileSchedule schedule{};
  double max_lookups_per_second = 10;
};

// Fetches the provider's records of unreconciled attempts, one after the other, and publishes what
// their callbacks would have caused. Stateless between runs: another process can continue, and two
// at once publish the same records twice.
class Reconciliation {
 public:
  struct Parts {
    const Clock& clock;
    const RegistrySource& registry;
    UnreconciledAttempts& attempts;
    ProviderLookup& provider;
    CallbackHandler& callback_handler;  // publishes retries
    RecordLog& log;
    const Topics& topics;
    DeliveryProbe& probe;
  };

  Reconciliation(v1::Channel channel, Parts parts, ReconciliationSettings settings)
      : channel_(channel), parts_(parts), settings_(settings) {}

  // Runs whenever `is_owner` returns true, until `stop`. Blocks; returns within kLookupTimeout and
  // the publish timeout after a stop.
  void Serve(std::stop_token stop, const std::function<bool()>& is_owner);

  // One run: fetches at most kAttemptsPerRun records and returns their number. `sleep` blocks
  // between them and returns false to end the run. An error means that a dependency failed; what
  // was found so far is saved.
  Result<size_t> Run(const std::function<bool(Micros)>& sleep);

 private:
  Result<std::optional<ProviderRecord>> Fetch(const UnreconciledAttempt& attempt);
  Status Defer(const UnreconciledAttempt& attempt);
  Status Publish(const UnreconciledAttempt& attempt, const Reconciled& found);

  const v1::Channel channel_;
  const Parts parts_;
  const ReconciliationSettings settings_;
};

}  // namespace tocsin
