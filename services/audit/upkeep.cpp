#include "services/audit/upkeep.h"

#include <malloc.h>

#include <condition_variable>
#include <mutex>
#include <utility>

namespace tocsin::audit {
namespace {

void Keep(const std::stop_token& stop, FoldStore& store, postgres::Session& session,
          const std::function<void(const LedgerCount&)>& counted,
          const std::function<void(const Error&)>& failed) {
  std::mutex mutex;
  std::condition_variable_any woken;
  SteadyTime months_due = std::chrono::steady_clock::now();
  SteadyTime ledger_due = months_due;
  while (!stop.stop_requested()) {
    const WallTime now = std::chrono::time_point_cast<Micros>(std::chrono::system_clock::now());
    if (std::chrono::steady_clock::now() >= months_due) {
      const Status made = store.EnsureMonths(now);
      if (made) months_due = std::chrono::steady_clock::now() + kMonthsEvery;
      if (!made) failed(made.error());
    }
    if (std::chrono::steady_clock::now() >= ledger_due) {
      const auto count = CountLedger(session, now);
      count ? counted(*count) : failed(count.error());
      ledger_due = std::chrono::steady_clock::now() + kLedgerEvery;
    }
    if (const auto swept = store.SweepOrphans(now); !swept) failed(swept.error());
    malloc_trim(0);  // what a burst of records leaves behind would stay with the process
    std::unique_lock lock(mutex);
    woken.wait_for(lock, stop, kSweepEvery, [] { return false; });
  }
}

}  // namespace

Upkeep::Upkeep(std::unique_ptr<FoldStore> store, postgres::Options database,
               std::function<void(const LedgerCount&)> counted,
               std::function<void(const Error&)> failed)
    : thread_([store = std::move(store), database = std::move(database),
               counted = std::move(counted),
               failed = std::move(failed)](std::stop_token stop) mutable {
        postgres::Session session(std::move(database));
        Keep(stop, *store, session, counted, failed);
      }) {}

}  // namespace tocsin::audit
