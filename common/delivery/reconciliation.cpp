#include "common/delivery/reconciliation.h"

#include <set>
#include <utility>

#include "common/delivery/follow_up_records.h"
#include "common/domain/alert/ids.h"
#include "common/domain/delivery/reconciliation_plan.h"

namespace tocsin {

// The requests of one run, at a limited rate.
class Reconciliation::Requests {
 public:
  Requests(Scheduler& scheduler, double per_second)
      : scheduler_(scheduler), interval_(static_cast<std::int64_t>(1e6 / per_second)) {}

  // Waits for the next request. False: the run has made all of its requests.
  Task<bool> Take() {
    if (count_ == kRequestsPerRun) co_return false;
    if (count_++ > 0) co_await Sleep(scheduler_, interval_);
    co_return true;
  }

 private:
  Scheduler& scheduler_;
  const Micros interval_;
  size_t count_ = 0;
};

Task<void> Reconciliation::Serve(std::function<bool()> is_owner) {
  while (true) {
    bool more_due = false;
    if (is_owner()) {
      const Result<ReconciliationRun> run = co_await Run();
      if (!run) parts_.probe.OnDependencyError(run.error());
      more_due = run && run->more_due;
    }
    if (!more_due) co_await Sleep(parts_.scheduler, kBetweenRuns);
  }
}

Task<Result<ReconciliationRun>> Reconciliation::Run() {
  TOCSIN_CO_TRY(DueAttempts attempts,
                co_await parts_.attempts.FindDue(channel_, parts_.clock.Now(), kAttemptsPerRun));
  parts_.probe.OnReconciliationRun(attempts.total);
  SortByUrgency(attempts.due, settings_.schedule);
  Requests requests(parts_.scheduler, settings_.max_lookups_per_second);
  const Records listed = co_await ReadLists(attempts.due, requests);
  ReconciliationRun run{.more_due = attempts.due.size() == kAttemptsPerRun};
  std::vector<const UnreconciledAttempt*> missing;
  for (const UnreconciledAttempt& attempt : attempts.due) {
    if (const std::optional<Reconciled> found = FromList(attempt, listed)) {
      TOCSIN_CO_CHECK_OK(co_await Save(attempt, *found));
      ++run.attempts;
    } else {
      missing.push_back(&attempt);
    }
  }
  std::map<std::string, size_t> failures;  // in a row, by account
  for (const UnreconciledAttempt* const attempt : missing) {
    size_t& failures_in_a_row = failures[attempt->result.account_sid()];
    if (failures_in_a_row == kMaxFailuresInARow) {
      TOCSIN_CO_CHECK_OK(co_await SaveUnreachable(*attempt));
      continue;
    }
    const bool may_request = co_await requests.Take();
    run.more_due = run.more_due || !may_request;
    if (!may_request) break;
    ++run.attempts;
    const Result<std::optional<ProviderRecord>> record = co_await Fetch(*attempt);
    failures_in_a_row = record ? 0 : failures_in_a_row + 1;
    if (!record) {
      parts_.probe.OnDependencyError(record.error());
      TOCSIN_CO_CHECK_OK(co_await SaveUnreachable(*attempt));
      continue;
    }
    const Reconciled found = Found(*attempt, *record);
    TOCSIN_CO_CHECK_OK(co_await Save(*attempt, found));
  }
  co_return run;
}

Reconciled Reconciliation::Found(const UnreconciledAttempt& attempt,
                                 const std::optional<ProviderRecord>& record) const {
  return Reconcile(channel_, attempt, record, settings_.schedule, parts_.clock.Now());
}

// The records of due attempts in the provider's lists. What is missing is fetched afterwards.
Task<Reconciliation::Records> Reconciliation::ReadLists(const std::vector<UnreconciledAttempt>& due,
                                                        Requests& requests) {
  Records found;
  if (channel_ != v1::CHANNEL_SMS) co_return found;  // calls are few
  std::set<std::string> wanted;
  for (const UnreconciledAttempt& attempt : due) wanted.insert(attempt.result.provider_sid());
  const auto registry = parts_.registry.Now();
  size_t pages = 0;
  for (const PlannedList& list : PlanLists(due)) {
    const Account* account = registry->FindAccount(list.account_sid);
    if (account == nullptr) continue;
    std::string next;
    size_t wanted_in_page = kMinPerList;
    const SentWindow window{.from = list.from, .until = list.until};
    while (wanted_in_page >= kMinPerList && pages++ < kPagesPerRun) {
      const bool may_request = co_await requests.Take();
      if (!may_request) co_return found;
      Result<ProviderPage> page = co_await parts_.provider.ListSent(
          *account, window, next, parts_.clock.SteadyNow() + kPageTimeout);
      if (!page) {
        parts_.probe.OnDependencyError(page.error());
        break;
      }
      std::erase_if(page->records, [&](const auto& row) { return !wanted.contains(row.first); });
      wanted_in_page = page->records.size();
      found.merge(page->records);
      next = page->next;
      if (next.empty()) break;
    }
  }
  co_return found;
}

// Nothing if the attempt must be fetched.
std::optional<Reconciled> Reconciliation::FromList(const UnreconciledAttempt& attempt,
                                                   const Records& listed) {
  const auto record = listed.find(attempt.result.provider_sid());
  if (!attempt.holds_sid || record == listed.end()) return std::nullopt;
  Reconciled found = Found(attempt, record->second);
  if (!IsUsableFromList(found)) return std::nullopt;
  return found;
}

Task<Status> Reconciliation::Save(const UnreconciledAttempt& attempt, const Reconciled& found) {
  TOCSIN_CO_CHECK_OK(co_await Publish(attempt, found));
  TOCSIN_CO_CHECK_OK(co_await parts_.attempts.SaveLookup(channel_, attempt.name, found));
  parts_.probe.OnReconciled(found.finding);
  co_return Status();
}

// One account may be unreachable for long: its attempts must not delay the others, and end without
// the provider's records at last.
Task<Status> Reconciliation::SaveUnreachable(const UnreconciledAttempt& attempt) {
  const WallTime now = parts_.clock.Now();
  if (now >= LastLookupTime(attempt, settings_.schedule) + kMaxUnreachable) {
    const Reconciled found = Found(attempt, std::nullopt);
    co_return co_await Save(attempt, found);
  }
  Reconciled later;
  later.next_time = now + kAfterFailure;
  co_return co_await parts_.attempts.SaveLookup(channel_, attempt.name, later);
}

// Returns nothing without a request if there is no SID or no account.
Task<Result<std::optional<ProviderRecord>>> Reconciliation::Fetch(
    const UnreconciledAttempt& attempt) {
  const auto registry = parts_.registry.Now();
  const Account* account = registry->FindAccount(attempt.result.account_sid());
  if (!attempt.holds_sid || attempt.result.provider_sid().empty() || account == nullptr)
    co_return std::optional<ProviderRecord>();
  co_return co_await parts_.provider.Find(*account, attempt.result.provider_sid(),
                                          parts_.clock.SteadyNow() + kLookupTimeout);
}

Task<Status> Reconciliation::Publish(const UnreconciledAttempt& attempt, const Reconciled& found) {
  const RecordOrigin origin{.key = attempt.name.alert_id(), .traceparent = {}};
  if (!found.events.empty()) {
    std::vector<OutgoingRecord> records;
    for (const records::v1::Event& event : found.events)
      records.push_back(MakeRecord(parts_.topics.Events(), event, origin));
    TOCSIN_CO_CHECK_OK(co_await parts_.log.PublishAll(std::move(records)));
  }
  // The stored work record is that of the step's newest attempt.
  const bool has_work =
      attempt.work && AttemptText(attempt.work->attempt()) == AttemptText(attempt.name);
  if (!found.callback || !has_work) co_return {};
  co_return co_await parts_.callback_handler.PublishRetry(*found.callback, attempt.result,
                                                          *attempt.work, std::nullopt, origin);
}

}  // namespace tocsin
