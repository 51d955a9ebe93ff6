#include "common/ports/record_log.h"

#include <condition_variable>
#include <memory>
#include <mutex>

#include "common/base/failpoint.h"

namespace tocsin {

Result<std::vector<records::v1::Position>> RecordLog::PublishAndWait(
    std::vector<OutgoingRecord> records) {
  struct Pending {
    std::mutex mutex;
    std::condition_variable done;
    size_t left = 0;
    std::vector<PublishReport> reports;
  };
  const auto pending = std::make_shared<Pending>();
  pending->left = records.size();
  pending->reports.resize(records.size());
  if (TOCSIN_WITHOUT("awaited_report")) {
    for (OutgoingRecord& record : records) Publish(std::move(record), [](const PublishReport&) {});
    return std::vector<records::v1::Position>(records.size());
  }
  for (size_t i = 0; i < records.size(); ++i) {
    Publish(std::move(records[i]), [pending, i](const PublishReport& report) {
      const std::lock_guard lock(pending->mutex);
      pending->reports[i] = report;
      if (--pending->left == 0) pending->done.notify_one();
    });
  }
  std::unique_lock lock(pending->mutex);
  pending->done.wait(lock, [&] { return pending->left == 0; });  // bounded by the publish timeout
  std::vector<records::v1::Position> positions;
  for (const PublishReport& report : pending->reports) {
    if (report.outcome == PublishOutcome::kNotPersisted)
      return Fail(ErrorCode::kKafkaUnavailable, report.error);
    if (report.outcome == PublishOutcome::kUnknown)
      return Fail(ErrorCode::kOutcomeUnknown, report.error);
    positions.push_back(report.position);
  }
  return positions;
}

}  // namespace tocsin
