#include "common/delivery/reconciliation.h"

#include <condition_variable>
#include <mutex>
#include <utility>
#include <vector>

#include "common/delivery/outgoing.h"

namespace tocsin {
namespace {

// Waits, or less when a stop comes: false then.
bool Pause(const std::stop_token& stop, Micros time) {
  std::mutex mutex;
  std::condition_variable_any woken;
  std::unique_lock lock(mutex);
  woken.wait_for(lock, stop, time, [] { return false; });
  return !stop.stop_requested();
}

}  // namespace

void Reconciliation::Serve(std::stop_token stop, const std::function<bool()>& owner) {
  const auto pause = [&stop](Micros time) { return Pause(stop, time); };
  while (!stop.stop_requested()) {
    size_t looked = 0;
    if (owner()) {
      const Result<size_t> run = Run(pause);
      if (!run) observer_.failed(run.error());
      looked = run.value_or(0);
    }
    if (looked < kTriesPerRun && !pause(kBetweenRuns)) return;
  }
}

Result<size_t> Reconciliation::Run(const std::function<bool(Micros)>& pause) {
  TOCSIN_TRY(const DueTries tries, parts_.open.Due(channel_, parts_.clock.Now(), kTriesPerRun));
  observer_.run(tries.open);
  const Micros between(static_cast<std::int64_t>(1e6 / settings_.questions_per_second));
  size_t looked = 0;
  size_t failures = 0;  // in a row
  for (const OpenTry& open : tries.due) {
    if (looked > 0 && !pause(between)) break;
    ++looked;
    const Result<std::optional<BookEntry>> books = Ask(open);
    if (!books) {
      TOCSIN_CHECK_OK(Defer(open));
      if (++failures == kFailuresInARow) return Fail(books.error());
      observer_.failed(books.error());
      continue;
    }
    failures = 0;
    const Reconciled found =
        Reconcile(channel_, open, *books, settings_.schedule, parts_.clock.Now());
    TOCSIN_CHECK_OK(Publish(open, found));
    TOCSIN_CHECK_OK(parts_.open.Note(channel_, open.name, found));
    observer_.found(found.finding);
  }
  return looked;
}

// The books of one account may be closed to us for long: its tries must not keep the others
// waiting.
Status Reconciliation::Defer(const OpenTry& open) {
  Reconciled later;
  later.again = parts_.clock.Now() + kAfterFailure;
  return parts_.open.Note(channel_, open.name, later);
}

// Nothing where there is nothing to ask, or nobody.
Result<std::optional<BookEntry>> Reconciliation::Ask(const OpenTry& open) {
  const auto registry = parts_.registry.Now();
  const Account* account = registry->FindAccount(open.receipt.account_sid());
  if (!open.holds_sid || open.receipt.provider_sid().empty() || account == nullptr)
    return std::optional<BookEntry>();
  return parts_.books.Find(*account, open.receipt.provider_sid(),
                           parts_.clock.SteadyNow() + kBooksLimit);
}

Status Reconciliation::Publish(const OpenTry& open, const Reconciled& found) {
  IncomingRecord from;  // the record that a callback would have been
  from.key = open.name.alert_id();
  if (!found.events.empty()) {
    const RecordMaker maker(parts_.topics, from);
    std::vector<OutgoingRecord> records;
    for (const v1::Event& event : found.events)
      records.push_back(maker.Of(parts_.topics.Events(), event));
    TOCSIN_CHECK_OK(parts_.log.PublishAndWait(std::move(records)));
  }
  if (!found.told) return {};
  v1::WebhookRecord told = *found.told;
  const v1::AlertClass alert_class = open.work ? open.work->class_() : v1::ALERT_CLASS_UNSPECIFIED;
  told.mutable_work()->set_topic(parts_.topics.Lane(channel_, alert_class));
  told.mutable_work()->set_offset(-1);  // nobody knows where it stands: it is in the store or gone
  return parts_.desk.TryAgain(from, told);
}

}  // namespace tocsin
