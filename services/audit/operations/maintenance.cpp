#include "services/audit/operations/maintenance.h"

#include <utility>

#include "common/base/sleep.h"

namespace tocsin::audit {
namespace {

struct Work {
  std::unique_ptr<Projection> projection;
  postgres::Session session;
  std::function<void(const AlertCounts&)> on_counts;
  std::function<void(const Error&)> on_error;
};

void RunUntil(const std::stop_token& stop, Work& work) {
  SteadyTime next_partitions = std::chrono::steady_clock::now();
  SteadyTime next_count = next_partitions;
  do {
    const WallTime now = std::chrono::time_point_cast<Micros>(std::chrono::system_clock::now());
    if (std::chrono::steady_clock::now() >= next_partitions) {
      const Status ensured = work.projection->EnsurePartitions(now);
      if (ensured) next_partitions = std::chrono::steady_clock::now() + kPartitionInterval;
      if (!ensured) work.on_error(ensured.error());
    }
    if (std::chrono::steady_clock::now() >= next_count) {
      work.on_counts(CountAlerts(work.session, now, work.on_error));
      next_count = std::chrono::steady_clock::now() + kCountInterval;
    }
    if (const auto matched = work.projection->MatchCallbacks(now); !matched)
      work.on_error(matched.error());
  } while (SleepFor(kMatchInterval, stop));
}

}  // namespace

Maintenance::Maintenance(std::unique_ptr<Projection> projection, postgres::Options database,
                         std::function<void(const AlertCounts&)> on_counts,
                         std::function<void(const Error&)> on_error)
    : thread_([projection = std::move(projection), database = std::move(database),
               on_counts = std::move(on_counts),
               on_error = std::move(on_error)](std::stop_token stop) mutable {
        Work work{std::move(projection), postgres::Session(std::move(database)),
                  std::move(on_counts), std::move(on_error)};
        RunUntil(stop, work);
      }) {}

}  // namespace tocsin::audit
