#include "common/ports/record_log.h"

#include <condition_variable>
#include <memory>
#include <mutex>

#include "common/base/failpoint.h"

namespace tocsin {

Result<std::vector<v1::Position>> RecordLog::PublishAndWait(std::vector<OutgoingRecord> records) {
  struct Waiting {
    std::mutex mutex;
    std::condition_variable done;
    size_t open = 0;
    std::vector<PublishReport> reports;
  };
  const auto waiting = std::make_shared<Waiting>();
  waiting->open = records.size();
  waiting->reports.resize(records.size());
  if (TOCSIN_WITHOUT("awaited_report")) {
    for (OutgoingRecord& record : records) Publish(std::move(record), [](const PublishReport&) {});
    return std::vector<v1::Position>(records.size());
  }
  for (size_t i = 0; i < records.size(); ++i) {
    Publish(std::move(records[i]), [waiting, i](const PublishReport& report) {
      const std::lock_guard lock(waiting->mutex);
      waiting->reports[i] = report;
      if (--waiting->open == 0) waiting->done.notify_one();
    });
  }
  std::unique_lock lock(waiting->mutex);
  waiting->done.wait(lock, [&] { return waiting->open == 0; });  // bounded by the delivery time-out
  std::vector<v1::Position> positions;
  for (const PublishReport& report : waiting->reports) {
    if (report.outcome == PublishOutcome::kNotPersisted)
      return Fail(ErrorCode::kKafkaUnavailable, report.why);
    if (report.outcome == PublishOutcome::kUnknown)
      return Fail(ErrorCode::kOutcomeUnknown, report.why);
    positions.push_back(report.position);
  }
  return positions;
}

}  // namespace tocsin
