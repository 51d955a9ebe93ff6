#include "common/ports/record_log.h"

#include <condition_variable>
#include <memory>
#include <mutex>

#include "common/async/callback.h"
#include "common/base/failpoint.h"

namespace tocsin {
namespace {

Result<std::vector<records::v1::Position>> PositionsOf(const std::vector<PublishReport>& reports) {
  std::vector<records::v1::Position> positions;
  for (const PublishReport& report : reports) {
    if (report.outcome == PublishOutcome::kNotPersisted)
      return Fail(ErrorCode::kKafkaUnavailable, report.error);
    if (report.outcome == PublishOutcome::kUnknown)
      return Fail(ErrorCode::kOutcomeUnknown, report.error);
    positions.push_back(report.position);
  }
  return positions;
}

}  // namespace

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
  for (size_t i = 0; i < records.size(); ++i) {
    Publish(std::move(records[i]), [pending, i](const PublishReport& report) {
      const std::lock_guard lock(pending->mutex);
      pending->reports[i] = report;
      if (--pending->left == 0) pending->done.notify_one();
    });
  }
  std::unique_lock lock(pending->mutex);
  pending->done.wait(lock, [&] { return pending->left == 0; });  // bounded by the publish timeout
  return PositionsOf(pending->reports);
}

Task<Result<std::vector<records::v1::Position>>> RecordLog::PublishAll(
    std::vector<OutgoingRecord> records) {
  if (records.empty()) co_return std::vector<records::v1::Position>();
  if (TOCSIN_WITHOUT("awaited_report")) {
    const size_t count = records.size();
    for (OutgoingRecord& record : records) Publish(std::move(record), [](const PublishReport&) {});
    co_return std::vector<records::v1::Position>(count);
  }
  struct Pending {
    size_t left = 0;
    std::vector<PublishReport> reports;
  };
  const auto publish = [&](const Callback<std::vector<PublishReport>>& done) {
    const auto pending = std::make_shared<Pending>();
    pending->left = records.size();
    pending->reports.resize(records.size());
    for (size_t i = 0; i < pending->reports.size(); ++i) {
      Publish(std::move(records[i]), [pending, i, done](const PublishReport& report) {
        pending->reports[i] = report;
        if (--pending->left == 0) done(std::move(pending->reports));
      });
    }
  };
  co_return PositionsOf(co_await AwaitCallback<std::vector<PublishReport>>(publish));
}

}  // namespace tocsin
