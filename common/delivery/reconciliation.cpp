#include "common/delivery/reconciliation.h"

#include <utility>
#include <vector>

#include "common/base/sleep.h"
#include "common/delivery/follow_up_records.h"
#include "common/domain/alert/ids.h"

namespace tocsin {

void Reconciliation::Serve(std::stop_token stop, const std::function<bool()>& is_owner) {
  const auto sleep = [&stop](Micros time) { return SleepFor(time, stop); };
  while (!stop.stop_requested()) {
    size_t fetched = 0;
    if (is_owner()) {
      const Result<size_t> run = Run(sleep);
      if (!run) parts_.probe.OnDependencyError(run.error());
      fetched = run.value_or(0);
    }
    if (fetched < kAttemptsPerRun && !sleep(kBetweenRuns)) return;
  }
}

Result<size_t> Reconciliation::Run(const std::function<bool(Micros)>& sleep) {
  TOCSIN_TRY(const DueAttempts attempts,
             parts_.attempts.FindDue(channel_, parts_.clock.Now(), kAttemptsPerRun));
  parts_.probe.OnReconciliationRun(attempts.total);
  const Micros interval(static_cast<std::int64_t>(1e6 / settings_.max_lookups_per_second));
  size_t fetched = 0;
  size_t failures_in_a_row = 0;
  for (const UnreconciledAttempt& attempt : attempts.due) {
    if (fetched > 0 && !sleep(interval)) break;
    ++fetched;
    const Result<std::optional<ProviderRecord>> record = Fetch(attempt);
    if (!record) {
      TOCSIN_CHECK_OK(Defer(attempt));
      if (++failures_in_a_row == kMaxFailuresInARow) return Fail(record.error());
      parts_.probe.OnDependencyError(record.error());
      continue;
    }
    failures_in_a_row = 0;
    const Reconciled found =
        Reconcile(channel_, attempt, *record, settings_.schedule, parts_.clock.Now());
    TOCSIN_CHECK_OK(Publish(attempt, found));
    TOCSIN_CHECK_OK(parts_.attempts.SaveLookup(channel_, attempt.name, found));
    parts_.probe.OnReconciled(found.finding);
  }
  return fetched;
}

// One account may be unreachable for long: its attempts must not delay the others.
Status Reconciliation::Defer(const UnreconciledAttempt& attempt) {
  Reconciled later;
  later.next_time = parts_.clock.Now() + kAfterFailure;
  return parts_.attempts.SaveLookup(channel_, attempt.name, later);
}

// Returns nothing without a request if there is no SID or no account.
Result<std::optional<ProviderRecord>> Reconciliation::Fetch(const UnreconciledAttempt& attempt) {
  const auto registry = parts_.registry.Now();
  const Account* account = registry->FindAccount(attempt.result.account_sid());
  if (!attempt.holds_sid || attempt.result.provider_sid().empty() || account == nullptr)
    return std::optional<ProviderRecord>();
  return parts_.provider.Find(*account, attempt.result.provider_sid(),
                              parts_.clock.SteadyNow() + kLookupTimeout);
}

Status Reconciliation::Publish(const UnreconciledAttempt& attempt, const Reconciled& found) {
  const RecordOrigin origin{.key = attempt.name.alert_id(), .traceparent = {}};
  if (!found.events.empty()) {
    std::vector<OutgoingRecord> records;
    for (const records::v1::Event& event : found.events)
      records.push_back(MakeRecord(parts_.topics.Events(), event, origin));
    TOCSIN_CHECK_OK(parts_.log.PublishAndWait(std::move(records)));
  }
  // The stored work record is that of the step's newest attempt.
  const bool has_work =
      attempt.work && AttemptText(attempt.work->attempt()) == AttemptText(attempt.name);
  if (!found.callback || !has_work) return {};
  return parts_.callback_handler.PublishRetry(*found.callback, *attempt.work, std::nullopt, origin);
}

}  // namespace tocsin
