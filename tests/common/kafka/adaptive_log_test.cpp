#include "common/kafka/adaptive_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/fakes/manual_clock.h"

namespace tocsin::kafka {
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

class AdaptiveLogTest : public testing::Test {
 protected:
  void Publish(const std::string& key) { PublishTo(topics.Events(), key); }
  void PublishTo(const std::string& topic, const std::string& key) {
    log.Publish({topic, key, "value", {}}, [](const PublishReport&) {});
  }
  void Fill() {
    for (size_t i = 0; i < kBatchFrom; ++i) Publish("first" + std::to_string(i));
  }

  PendingLog immediate;
  PendingLog batching;
  const Topics topics;
  ManualClock clock;
  AdaptiveLog log{immediate, batching, topics, clock};
};

TEST_F(AdaptiveLogTest, PublishesAtOnceWhileFewRecordsAreInFlight) {
  Fill();
  EXPECT_THAT(immediate.keys, SizeIs(kBatchFrom));
  EXPECT_THAT(batching.keys, IsEmpty());
}

TEST_F(AdaptiveLogTest, BatchesWhileManyRecordsAreInFlightAndForAMomentAfterwards) {
  Fill();
  Publish("a");
  immediate.ReportAll();
  batching.ReportAll();
  Publish("b");
  EXPECT_THAT(batching.keys, ElementsAre("a", "b"));
  clock.Advance(kBatchAtLeast);
  Publish("c");
  EXPECT_EQ(immediate.keys.back(), "c");
}

TEST_F(AdaptiveLogTest, KeepsTheOrderOfAKey) {  // R1
  Publish("a");
  Fill();
  Publish("a");  // overtakes nothing, although many are in flight
  EXPECT_EQ(immediate.keys.front(), "a");
  EXPECT_EQ(immediate.keys.back(), "a");
  Publish("b");
  immediate.ReportAll();
  clock.Advance(kBatchAtLeast);
  Publish("b");  // although few are in flight
  EXPECT_THAT(batching.keys, ElementsAre("first" + std::to_string(kBatchFrom - 1), "b", "b"));
}

TEST_F(AdaptiveLogTest, SelectsForEachRecordOfATopicWithoutOrder) {
  PublishTo(topics.Webhooks(), "a");
  Fill();
  PublishTo(topics.Webhooks(), "a");
  EXPECT_EQ(immediate.keys.front(), "a");
  EXPECT_EQ(batching.keys.back(), "a");
}

class ReportingLog final : public RecordLog {
 public:
  void Publish(OutgoingRecord, std::function<void(const PublishReport&)> report) override {
    ++records;
    report({PublishOutcome::kPersisted, {}, {}});
  }
  std::atomic<int> records = 0;
};

TEST(AdaptiveLogThreadsTest, CountsTheRecordsOfSeveralThreads) {
  constexpr int kThreads = 4;
  constexpr int kRecords = 2'000;
  const Topics topics;
  ManualClock clock;
  ReportingLog immediate;
  ReportingLog batching;
  AdaptiveLog log(immediate, batching, topics, clock);
  std::vector<std::jthread> threads;
  for (int i = 0; i < kThreads; ++i)
    threads.emplace_back([&] {
      for (int n = 0; n < kRecords; ++n)
        log.Publish(
            {n % 2 == 0 ? topics.Webhooks() : topics.Events(), std::to_string(n), "value", {}},
            [](const PublishReport&) {});
    });
  threads.clear();
  EXPECT_EQ(immediate.records, kThreads * kRecords);  // never more than kThreads in flight
  EXPECT_EQ(batching.records, 0);
}

}  // namespace
}  // namespace tocsin::kafka
