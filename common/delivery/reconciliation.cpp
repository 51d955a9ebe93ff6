#include "common/delivery/reconciliation.h"

#include <set>
#include <utility>

#include "common/base/sleep.h"
#include "common/delivery/follow_up_records.h"
#include "common/domain/alert/ids.h"
#include "common/domain/delivery/reconciliation_plan.h"

namespace tocsin {

// The requests of one run, at a limited rate.
class Reconciliation::Requests {
 public:
  Requests(const std::function<bool(Micros)>& sleep, double per_second)
      : sleep_(sleep), interval_(static_cast<std::int64_t>(1e6 / per_second)) {}

  // Waits for the next request. False: the run has made all of its requests, or is stopped.
  bool Take() {
    if (count_ == kRequestsPerRun || stopped_) return false;
    stopped_ = count_ > 0 && !sleep_(interval_);
    if (stopped_) return false;
    ++count_;
    return true;
  }
  bool Stopped() const { return stopped_; }

 private:
  const std::function<bool(Micros)>& sleep_;
  const Micros interval_;
  size_t count_ = 0;
  bool stopped_ = false;
};

void Reconciliation::Serve(std::stop_token stop, const std::function<bool()>& is_owner) {
  const auto sleep = [&stop](Micros time) { return SleepFor(time, stop); };
  while (!stop.stop_requested()) {
    bool more_due = false;
    if (is_owner()) {
      const Result<ReconciliationRun> run = Run(sleep);
      if (!run) parts_.probe.OnDependencyError(run.error());
      more_due = run && run->more_due;
    }
    if (!more_due && !sleep(kBetweenRuns)) return;
  }
}

Result<ReconciliationRun> Reconciliation::Run(const std::function<bool(Micros)>& sleep) {
  TOCSIN_TRY(DueAttempts attempts,
             parts_.attempts.FindDue(channel_, parts_.clock.Now(), kAttemptsPerRun));
  parts_.probe.OnReconciliationRun(attempts.total);
  SortByUrgency(attempts.due, settings_.schedule);
  Requests requests(sleep, settings_.max_lookups_per_second);
  const Records listed = ReadLists(attempts.due, requests);
  ReconciliationRun run{.more_due = attempts.due.size() == kAttemptsPerRun};
  size_t failures_in_a_row = 0;
  for (const UnreconciledAttempt& attempt : attempts.due) {
    if (requests.Stopped()) break;
    if (const std::optional<Reconciled> found = FromList(attempt, listed)) {
      TOCSIN_CHECK_OK(Save(attempt, *found));
      ++run.attempts;
      continue;
    }
    if (!requests.Take()) {  // what the lists contain is still saved
      run.more_due = true;
      continue;
    }
    ++run.attempts;
    const Result<std::optional<ProviderRecord>> record = Fetch(attempt);
    if (!record) {
      TOCSIN_CHECK_OK(Defer(attempt));
      if (++failures_in_a_row == kMaxFailuresInARow) return Fail(record.error());
      parts_.probe.OnDependencyError(record.error());
      continue;
    }
    failures_in_a_row = 0;
    TOCSIN_CHECK_OK(Save(
        attempt, Reconcile(channel_, attempt, *record, settings_.schedule, parts_.clock.Now())));
  }
  return run;
}

// The records of due attempts in the provider's lists. What is missing is fetched afterwards.
Reconciliation::Records Reconciliation::ReadLists(const std::vector<UnreconciledAttempt>& due,
                                                  Requests& requests) {
  Records found;
  if (channel_ != v1::CHANNEL_SMS) return found;  // calls are few
  std::set<std::string> wanted;
  for (const UnreconciledAttempt& attempt : due) wanted.insert(attempt.result.provider_sid());
  const auto registry = parts_.registry.Now();
  size_t pages = 0;
  for (const PlannedList& list : PlanLists(due)) {
    const Account* account = registry->FindAccount(list.account_sid);
    if (account == nullptr) continue;
    std::string next;
    size_t wanted_in_page = kMinPerList;
    while (wanted_in_page >= kMinPerList && pages++ < kPagesPerRun && requests.Take()) {
      Result<ProviderPage> page =
          parts_.provider.ListSent(*account, {.from = list.from, .until = list.until}, next,
                                   parts_.clock.SteadyNow() + kPageTimeout);
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
  return found;
}

// Nothing if the attempt must be fetched.
std::optional<Reconciled> Reconciliation::FromList(const UnreconciledAttempt& attempt,
                                                   const Records& listed) {
  const auto record = listed.find(attempt.result.provider_sid());
  if (!attempt.holds_sid || record == listed.end()) return std::nullopt;
  Reconciled found =
      Reconcile(channel_, attempt, record->second, settings_.schedule, parts_.clock.Now());
  if (!IsUsableFromList(found)) return std::nullopt;
  return found;
}

Status Reconciliation::Save(const UnreconciledAttempt& attempt, const Reconciled& found) {
  TOCSIN_CHECK_OK(Publish(attempt, found));
  TOCSIN_CHECK_OK(parts_.attempts.SaveLookup(channel_, attempt.name, found));
  parts_.probe.OnReconciled(found.finding);
  return {};
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
