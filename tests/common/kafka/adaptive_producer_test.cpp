#include "common/kafka/adaptive_producer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "tests/common/kafka/mock_cluster.h"

namespace tocsin::kafka {
namespace {

constexpr std::chrono::seconds kPatience{20};

class AdaptiveProducerTest : public ::testing::Test {
 protected:
  AdaptiveProducerTest() { cluster_.CreateTopic("alerts", 1); }

  std::unique_ptr<AdaptiveProducer> Make() {
    auto producer = AdaptiveProducer::Create(cluster_.Settings(), kIngressProfile,
                                             [](const std::string&) { return Hooks{}; });
    EXPECT_TRUE(producer);
    return std::move(*producer);
  }
  static OutgoingRecord Record(const std::string& key) {
    return {.topic = "alerts", .key = key, .value = "value", .headers = {}};
  }

  MockCluster cluster_;
};

// The last report of one producer publishes to the other, after that has become empty.
TEST_F(AdaptiveProducerTest, FlushesRecordsThatReportsPublish) {
  const auto producer = Make();
  ASSERT_TRUE(producer->FetchMetadata({"alerts"}, kPatience));
  std::atomic<std::size_t> reports = 0;
  const auto count = [&](const PublishReport& report) {
    if (report.outcome == PublishOutcome::kPersisted) ++reports;
  };
  for (std::size_t i = 0; i < kBatchFrom; ++i) producer->Publish(Record(std::to_string(i)), count);
  producer->Publish(Record("batched"), [&](const PublishReport& report) {
    count(report);
    while (producer->InFlight() > 1) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));  // Flush() waits for this one
    producer->Publish(Record("next"), count);
  });
  EXPECT_TRUE(producer->Flush(kPatience));
  EXPECT_EQ(producer->InFlight(), 0U);
  EXPECT_EQ(reports, kBatchFrom + 2);
}

TEST_F(AdaptiveProducerTest, FlushFailsWhileTheBrokerIsDown) {
  const auto producer = Make();
  cluster_.Down();
  producer->Publish(Record("a"), [](const PublishReport&) {});
  const Status flushed = producer->Flush(std::chrono::milliseconds(100));
  ASSERT_FALSE(flushed);
  EXPECT_EQ(flushed.error().code, ErrorCode::kKafkaUnavailable);
  cluster_.Up();
}

}  // namespace
}  // namespace tocsin::kafka
