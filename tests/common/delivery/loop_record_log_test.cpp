#include "common/delivery/loop_record_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/fakes/manual_scheduler.h"

namespace tocsin {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// Keeps the reports until the test makes them.
class PendingLog final : public RecordLog {
 public:
  void Publish(OutgoingRecord record, std::function<void(const PublishReport&)> report) override {
    keys.push_back(record.key);
    pending.push_back(std::move(report));
  }
  void ReportAll() {
    for (const auto& report : std::exchange(pending, {}))
      report({PublishOutcome::kPersisted, {}, {}});
  }

  std::vector<std::string> keys;
  std::vector<std::function<void(const PublishReport&)>> pending;
};

class LoopRecordLogTest : public testing::Test {
 protected:
  void Publish(const std::string& key) {
    log.Publish({"topic", key, "value", {}},
                [this, key](const PublishReport&) { reported.push_back(key); });
  }
  void Fill() {
    for (size_t i = 0; i < kBatchFrom; ++i) Publish("first" + std::to_string(i));
  }

  ManualClock clock;
  ManualScheduler scheduler{clock};
  PendingLog immediate;
  PendingLog batching;
  LoopRecordLog log{immediate, batching, scheduler};
  std::vector<std::string> reported;
};

TEST_F(LoopRecordLogTest, ReportsOnTheSchedulersThread) {
  Publish("a");
  immediate.ReportAll();
  EXPECT_THAT(reported, IsEmpty());
  scheduler.Run();
  EXPECT_THAT(reported, ElementsAre("a"));
}

TEST_F(LoopRecordLogTest, PublishesAtOnceWhileFewRecordsAreInFlight) {
  Fill();
  EXPECT_THAT(immediate.keys, SizeIs(kBatchFrom));
  EXPECT_THAT(batching.keys, IsEmpty());
}

TEST_F(LoopRecordLogTest, BatchesWhileManyRecordsAreInFlight) {
  Fill();
  Publish("a");
  EXPECT_THAT(batching.keys, ElementsAre("a"));
  immediate.ReportAll();
  scheduler.Run();
  Publish("b");
  EXPECT_EQ(immediate.keys.back(), "b");
}

TEST_F(LoopRecordLogTest, KeepsTheOrderOfAKey) {  // R1
  Publish("a");
  Fill();
  Publish("a");  // overtakes nothing, although many are in flight
  EXPECT_EQ(immediate.keys.front(), "a");
  EXPECT_EQ(immediate.keys.back(), "a");
  Publish("b");
  immediate.ReportAll();
  scheduler.Run();
  Publish("b");  // although few are in flight
  EXPECT_THAT(batching.keys, ElementsAre("first" + std::to_string(kBatchFrom - 1), "b", "b"));
}

}  // namespace
}  // namespace tocsin
