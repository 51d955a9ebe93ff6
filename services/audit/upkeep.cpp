#include "services/audit/upkeep.h"

#include <condition_variable>
#include <mutex>
#include <utility>

namespace tocsin::audit {
namespace {

void Keep(const std::stop_token& stop, FoldStore& store,
          const std::function<void(const Error&)>& failed) {
  std::mutex mutex;
  std::condition_variable_any woken;
  SteadyTime months_due = std::chrono::steady_clock::now();
  while (!stop.stop_requested()) {
    const WallTime now = std::chrono::time_point_cast<Micros>(std::chrono::system_clock::now());
    if (std::chrono::steady_clock::now() >= months_due) {
      const Status made = store.EnsureMonths(now);
      if (made) months_due = std::chrono::steady_clock::now() + kMonthsEvery;
      if (!made) failed(made.error());
    }
    if (const auto swept = store.SweepOrphans(now); !swept) failed(swept.error());
    std::unique_lock lock(mutex);
    woken.wait_for(lock, stop, kSweepEvery, [] { return false; });
  }
}

}  // namespace

Upkeep::Upkeep(std::unique_ptr<FoldStore> store, std::function<void(const Error&)> failed)
    : thread_([store = std::move(store), failed = std::move(failed)](std::stop_token stop) mutable {
        Keep(stop, *store, failed);
      }) {}

}  // namespace tocsin::audit
