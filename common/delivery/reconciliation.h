// Reconciliation: reads from the provider the statuses and prices that no callback reported.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/async/scheduler.h"
#include "common/async/task.h"
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

constexpr size_t kAttemptsPerRun = 500;
constexpr size_t kRequestsPerRun = 100;  // fetches and pages: attempts that become due do not wait
constexpr size_t kPagesPerRun = 20;
constexpr std::chrono::seconds kLookupTimeout{5};         // of one fetch
constexpr std::chrono::seconds kPageTimeout{15};          // of one page of a list
constexpr Micros kBetweenRuns = std::chrono::seconds(5);  // after a run that was not full
constexpr size_t kMaxFailuresInARow = 3;  // then the account gets no further request in this run
constexpr std::chrono::minutes kAfterFailure{1};  // until the next fetch
// How much later than otherwise an attempt is given up if its account is unreachable.
constexpr std::chrono::hours kMaxUnreachable{6};

struct ReconciliationSettings {
  ReconcileSchedule schedule{};
  double max_lookups_per_second = 10;
};

struct ReconciliationRun {
  size_t attempts = 0;    // looked up
  bool more_due = false;  // more attempts may be due
};

// Looks up the provider's records of unreconciled attempts, one after the other, and publishes what
// their callbacks would have caused. Reads lists where many messages are due, fetches the others by
// SID. Attempts without a final status come first. Stateless between runs: another process can
// continue, and two at once publish the same records twice.
class Reconciliation {
 public:
  struct Parts {
    const Clock& clock;
    Scheduler& scheduler;
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

  // Runs whenever `is_owner` returns true. Never ends: destroy the task.
  Task<void> Serve(std::function<bool()> is_owner);

  // One run: at most kAttemptsPerRun attempts and kRequestsPerRun requests. An error means that a
  // dependency failed; what was found so far is saved.
  Task<Result<ReconciliationRun>> Run();

 private:
  using Records = std::map<std::string, ProviderRecord>;  // by SID
  class Requests;

  Reconciled Found(const UnreconciledAttempt& attempt,
                   const std::optional<ProviderRecord>& record) const;
  Task<Records> ReadLists(const std::vector<UnreconciledAttempt>& due, Requests& requests);
  std::optional<Reconciled> FromList(const UnreconciledAttempt& attempt, const Records& listed);
  Task<Result<std::optional<ProviderRecord>>> Fetch(const UnreconciledAttempt& attempt);
  Task<Status> Save(const UnreconciledAttempt& attempt, const Reconciled& found);
  Task<Status> SaveUnreachable(const UnreconciledAttempt& attempt);
  Task<Status> Publish(const UnreconciledAttempt& attempt, const Reconciled& found);

  const v1::Channel channel_;
  const Parts parts_;
  const ReconciliationSettings settings_;
};

}  // namespace tocsin
