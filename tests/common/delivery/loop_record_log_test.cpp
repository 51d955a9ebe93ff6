#include "common/delivery/loop_record_log.h"

#include <gtest/gtest.h>

#include <functional>
#include <utility>

#include "tests/fakes/manual_scheduler.h"

namespace tocsin {
namespace {

// Keeps the report until the test makes it.
class PendingLog final : public RecordLog {
 public:
  void Publish(OutgoingRecord, std::function<void(const PublishReport&)> report) override {
    pending = std::move(report);
  }
  std::function<void(const PublishReport&)> pending;
};

TEST(LoopRecordLogTest, ReportsOnTheSchedulersThread) {
  ManualClock clock;
  ManualScheduler scheduler(clock);
  PendingLog pending_log;
  LoopRecordLog log(pending_log, scheduler);
  int reports = 0;
  log.Publish({"topic", "key", "value", {}}, [&](const PublishReport&) { ++reports; });
  pending_log.pending({PublishOutcome::kPersisted, {}, {}});
  EXPECT_EQ(reports, 0);
  scheduler.Run();
  EXPECT_EQ(reports, 1);
}

}  // namespace
}  // namespace tocsin
