#include "common/kafka/producer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "common/kafka/client.h"
#include "common/kafka/partitioner.h"
#include "common/ports/topics.h"
#include "tests/common/kafka/eventually.h"
#include "tests/common/kafka/mock_cluster.h"

namespace tocsin::kafka {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::Each;
using ::testing::Field;

constexpr int kPartitions = 4;

class ProducerTest : public ::testing::Test {
 protected:
  ProducerTest() { cluster_.CreateTopic("alerts", kPartitions); }

  std::unique_ptr<Producer> Make(ProducerProfile profile) {
    Hooks hooks;
    hooks.log = [this](int, std::string_view line) {
      if (line == "fatal producer error; replacing the producer")
        replacements_.Edit([](int& count) { ++count; });
    };
    auto producer = Producer::Create(cluster_.Settings(), profile, std::move(hooks));
    EXPECT_TRUE(producer);
    return std::move(*producer);
  }
  void Publish(Producer& producer, const std::string& key, const std::string& value) {
    producer.Publish({.topic = "alerts", .key = key, .value = value, .headers = {{"schema", "x"}}},
                     [this](const PublishReport& report) {
                       reports_.Edit([&](auto& all) { all.push_back(report); });
                     });
  }
  bool WaitReports(size_t count) {
    return reports_.Wait([&](const auto& all) { return all.size() >= count; });
  }

  MockCluster cluster_;
  Watched<std::vector<PublishReport>> reports_;
  Watched<int> replacements_;  // of a librdkafka producer that failed
};

TEST_F(ProducerTest, ReportsNotPersistedWhenTheBrokerIsDownForTheDeliveryTimeout) {
  cluster_.Down();
  const auto producer = Make({.delivery_timeout = milliseconds(300)});
  Publish(*producer, "a", "1");
  ASSERT_TRUE(WaitReports(1));
  EXPECT_EQ(reports_.Get()[0].outcome, PublishOutcome::kNotPersisted);
  EXPECT_FALSE(reports_.Get()[0].error.empty());
}

TEST_F(ProducerTest, ReportsUnknownWhenARequestGetsNoResponse) {
  const auto producer = Make({.delivery_timeout = milliseconds(1500)});
  ASSERT_TRUE(producer->FetchMetadata({"alerts"}, seconds(10)));
  Publish(*producer, "a", "1");
  ASSERT_TRUE(WaitReports(1));
  cluster_.SetRoundTrip(10'000);
  Publish(*producer, "a", "2");
  ASSERT_TRUE(WaitReports(2));
  EXPECT_EQ(reports_.Get()[1].outcome, PublishOutcome::kUnknown);
  cluster_.SetRoundTrip(0);
}

TEST_F(ProducerTest, RefusesRecordsImmediatelyWhenItsQueueIsFull) {
  cluster_.Down();
  const auto producer = Make({.delivery_timeout = milliseconds(500), .max_records = 3});
  for (int i = 0; i < 3; ++i) Publish(*producer, "a", "1");
  EXPECT_TRUE(reports_.Get().empty());
  Publish(*producer, "a", "beyond max_records");
  ASSERT_EQ(reports_.Get().size(), 1U);  // before Publish() returned
  EXPECT_EQ(reports_.Get()[0].outcome, PublishOutcome::kNotPersisted);
}

TEST_F(ProducerTest, RefusesARecordAboveTheSizeLimit) {
  const auto producer = Make({});
  Publish(*producer, "a", std::string(2'000'000, 'x'));
  ASSERT_EQ(reports_.Get().size(), 1U);
  EXPECT_EQ(reports_.Get()[0].outcome, PublishOutcome::kNotPersisted);
}

TEST_F(ProducerTest, ReportsThePositionOfAPersistedRecord) {
  const auto producer = Make({});
  Publish(*producer, "a key", "1");
  ASSERT_TRUE(WaitReports(1));
  const PublishReport report = reports_.Get()[0];
  EXPECT_EQ(report.outcome, PublishOutcome::kPersisted);
  EXPECT_EQ(report.position.topic(), "alerts");
  EXPECT_EQ(report.position.offset(), 0);
  EXPECT_EQ(report.position.partition(), PartitionFor("a key", kPartitions));
}

TEST_F(ProducerTest, SpreadsTheRecordsOfAKeyWhereTheTopicDoesNotKeepTheirOrder) {
  const std::string topic = Topics(cluster_.Settings().prefix).Webhooks();
  cluster_.CreateTopic(topic, kPartitions);
  const auto producer = Make({});
  std::set<std::int32_t> used;
  EXPECT_TRUE(Eventually([&] {  // one partition per time slot
    const auto published =
        producer->PublishAndWait({{.topic = topic, .key = "a key", .value = "1", .headers = {}}});
    EXPECT_TRUE(published);
    if (published) used.insert(published->front().partition());
    return used.size() == kPartitions;
  }));
}

TEST_F(ProducerTest, PublishesRecordsOnceAndInOrderAcrossAFatalError) {
  cluster_.Down();
  const auto producer = Make({.delivery_timeout = seconds(20)});
  for (int i = 0; i < 50; ++i) Publish(*producer, "a", std::to_string(i));
  cluster_.FailNextInitProducerId();
  cluster_.Up();
  ASSERT_TRUE(replacements_.Wait([](int count) { return count == 1; }));
  for (int i = 50; i < 100; ++i) Publish(*producer, "a", std::to_string(i));
  ASSERT_TRUE(WaitReports(100));
  EXPECT_TRUE(producer->Flush(seconds(10)));  // no record is in flight
  const auto reports = reports_.Get();
  ASSERT_EQ(reports.size(), 100U);
  EXPECT_THAT(reports, Each(Field(&PublishReport::outcome, PublishOutcome::kPersisted)));
  for (size_t i = 0; i < reports.size(); ++i)
    EXPECT_EQ(reports[i].position.offset(), static_cast<std::int64_t>(i));
  EXPECT_EQ(replacements_.Get(), 1);
}

TEST_F(ProducerTest, ReportsUnknownForRecordsInFlightDuringAFatalError) {
  const auto producer = Make({.delivery_timeout = seconds(20)});
  Publish(*producer, "a", "first");
  ASSERT_TRUE(WaitReports(1));
  cluster_.FailNextProduce();
  Publish(*producer, "a", "second");
  ASSERT_TRUE(WaitReports(2));
  EXPECT_EQ(reports_.Get()[1].outcome, PublishOutcome::kUnknown);
  for (int i = 0; i < 50; ++i) Publish(*producer, "a", std::to_string(i));
  ASSERT_TRUE(WaitReports(52));
  const auto reports = reports_.Get();
  for (size_t i = 2; i < reports.size(); ++i) {
    EXPECT_EQ(reports[i].outcome, PublishOutcome::kPersisted);
    EXPECT_EQ(reports[i].position.offset(), static_cast<std::int64_t>(i - 1));
  }
  EXPECT_EQ(replacements_.Get(), 1);
}

// As after the start of a broker that does not lead its partitions yet: it refuses the first batch
// and accepts the next one, whose producer it does not know.
TEST_F(ProducerTest, ReportsUnknownWhenOnlyALaterBatchWasAcknowledged) {
  const auto producer = Make({.delivery_timeout = seconds(20)});
  ASSERT_TRUE(producer->FetchMetadata({"alerts"}, seconds(10)));
  cluster_.SetRoundTrip(300);  // both batches are in flight before the first response
  cluster_.FailNextProduce(RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
  const std::string fills_a_batch(kBatchBytes, 'x');
  Publish(*producer, "a", fills_a_batch);
  Publish(*producer, "a", fills_a_batch);
  ASSERT_TRUE(WaitReports(2));
  const auto reports = reports_.Get();
  EXPECT_EQ(reports[0].outcome, PublishOutcome::kUnknown);
  EXPECT_EQ(reports[1].outcome, PublishOutcome::kPersisted);
  EXPECT_EQ(reports[1].position.offset(), 0);  // the log has only the second record
}

TEST_F(ProducerTest, RefusesRecordsBeyondItsLimitWhileItIsReplaced) {
  cluster_.FailNextInitProducerId();
  const auto producer = Make({.delivery_timeout = milliseconds(800), .max_records = 2});
  ASSERT_TRUE(replacements_.Wait([](int count) { return count == 1; }));
  cluster_.Down();
  for (int i = 0; i < 20; ++i) Publish(*producer, "a", "x");
  ASSERT_TRUE(WaitReports(20));
  EXPECT_THAT(reports_.Get(), Each(Field(&PublishReport::outcome, PublishOutcome::kNotPersisted)));
}

TEST_F(ProducerTest, ReportsEveryRecordBeforeItIsDestroyed) {
  cluster_.Down();
  {
    const auto producer = Make({.delivery_timeout = milliseconds(200)});
    for (int i = 0; i < 10; ++i) Publish(*producer, "a", "x");
  }
  EXPECT_EQ(reports_.Get().size(), 10U);
}

TEST_F(ProducerTest, FlushFailsWhileRecordsHaveNoReport) {
  cluster_.Down();
  const auto producer = Make({.delivery_timeout = milliseconds(500)});
  Publish(*producer, "a", "x");
  EXPECT_FALSE(producer->Flush(milliseconds(1)));
  EXPECT_TRUE(producer->Flush(seconds(30)));
}

TEST_F(ProducerTest, FetchMetadataFailsWithoutABroker) {
  cluster_.Down();
  const auto producer = Make({});
  EXPECT_FALSE(producer->FetchMetadata({"alerts"}, milliseconds(100)));
}

TEST_F(ProducerTest, AReportCallbackMayPublish) {
  const auto producer = Make({});
  producer->Publish({.topic = "alerts", .key = "a", .value = "1", .headers = {}},
                    [&](const PublishReport&) { Publish(*producer, "a", "2"); });
  ASSERT_TRUE(WaitReports(1));
  EXPECT_EQ(reports_.Get()[0].position.offset(), 1);
}

}  // namespace
}  // namespace tocsin::kafka
