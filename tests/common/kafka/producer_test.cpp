#include "common/kafka/producer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "common/kafka/partitioner.h"
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
    auto producer = Producer::Create(cluster_.Settings(), profile);
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
};

TEST_F(ProducerTest, SaysNotPersistedWhenTheBrokerIsAwayForTheDeliveryTimeOut) {
  cluster_.Down();
  const auto producer = Make({.delivery_timeout = milliseconds(300)});
  Publish(*producer, "a", "1");
  ASSERT_TRUE(WaitReports(1));
  EXPECT_EQ(reports_.Get()[0].outcome, PublishOutcome::kNotPersisted);
  EXPECT_FALSE(reports_.Get()[0].why.empty());
}

TEST_F(ProducerTest, SaysUnknownWhenARequestWasSentAndNeverAnswered) {
  const auto producer = Make({.delivery_timeout = milliseconds(1500)});
  ASSERT_TRUE(producer->Warm({"alerts"}, seconds(10)));
  Publish(*producer, "a", "1");
  ASSERT_TRUE(WaitReports(1));
  cluster_.SetRoundTrip(10'000);
  Publish(*producer, "a", "2");
  ASSERT_TRUE(WaitReports(2));
  EXPECT_EQ(reports_.Get()[1].outcome, PublishOutcome::kUnknown);
  cluster_.SetRoundTrip(0);
}

TEST_F(ProducerTest, RefusesAtOnceWhenItsQueueIsFull) {
  cluster_.Down();
  const auto producer = Make({.delivery_timeout = milliseconds(500), .max_records = 3});
  for (int i = 0; i < 3; ++i) Publish(*producer, "a", "1");
  EXPECT_TRUE(reports_.Get().empty());
  Publish(*producer, "a", "one too many");
  ASSERT_EQ(reports_.Get().size(), 1U);  // before the call returned
  EXPECT_EQ(reports_.Get()[0].outcome, PublishOutcome::kNotPersisted);
}

TEST_F(ProducerTest, RefusesARecordThatIsTooLarge) {
  const auto producer = Make({});
  Publish(*producer, "a", std::string(2'000'000, 'x'));
  ASSERT_EQ(reports_.Get().size(), 1U);
  EXPECT_EQ(reports_.Get()[0].outcome, PublishOutcome::kNotPersisted);
}

TEST_F(ProducerTest, ReportsThePositionOfAPersistedRecord) {
  const auto producer = Make(kIngressProfile);
  Publish(*producer, "a key", "1");
  ASSERT_TRUE(WaitReports(1));
  const PublishReport report = reports_.Get()[0];
  EXPECT_EQ(report.outcome, PublishOutcome::kPersisted);
  EXPECT_EQ(report.position.topic(), "alerts");
  EXPECT_EQ(report.position.offset(), 0);
  EXPECT_EQ(report.position.partition(), PartitionFor("a key", kPartitions));
}

TEST_F(ProducerTest, PublishesEverythingThroughAFatalErrorOnceAndInOrder) {
  const auto producer = Make({.delivery_timeout = seconds(20)});
  ASSERT_TRUE(producer->Warm({"alerts"}, seconds(10)));
  Publish(*producer, "a", "first");
  ASSERT_TRUE(WaitReports(1));
  cluster_.Down();  // what follows stays in the queue
  for (int i = 0; i < 50; ++i) Publish(*producer, "a", std::to_string(i));
  rd_kafka_test_fatal_error(producer->Native(), RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
                            "planted");
  for (int i = 50; i < 100; ++i) Publish(*producer, "a", std::to_string(i));
  cluster_.Up();
  ASSERT_TRUE(WaitReports(101));
  EXPECT_EQ(producer->Rebuilds(), 1U);
  EXPECT_TRUE(producer->Flush(seconds(10)));  // nothing is open
  const auto reports = reports_.Get();
  ASSERT_EQ(reports.size(), 101U);
  EXPECT_THAT(reports, Each(Field(&PublishReport::outcome, PublishOutcome::kPersisted)));
  for (size_t i = 0; i < reports.size(); ++i)
    EXPECT_EQ(reports[i].position.offset(), static_cast<std::int64_t>(i));
}

TEST_F(ProducerTest, RefusesWhatARebuildCannotHold) {
  const auto producer = Make({.delivery_timeout = milliseconds(800), .max_records = 2});
  cluster_.Down();
  rd_kafka_test_fatal_error(producer->Native(), RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
                            "planted");
  for (int i = 0; i < 20; ++i) Publish(*producer, "a", "x");
  ASSERT_TRUE(WaitReports(20));
  EXPECT_THAT(reports_.Get(), Each(Field(&PublishReport::outcome, PublishOutcome::kNotPersisted)));
}

TEST_F(ProducerTest, ReportsEveryRecordBeforeItIsGone) {
  cluster_.Down();
  {
    const auto producer = Make({.delivery_timeout = milliseconds(200)});
    for (int i = 0; i < 10; ++i) Publish(*producer, "a", "x");
  }
  EXPECT_EQ(reports_.Get().size(), 10U);
}

TEST_F(ProducerTest, FlushSaysThatRecordsHaveNoReport) {
  cluster_.Down();
  const auto producer = Make({.delivery_timeout = milliseconds(500)});
  Publish(*producer, "a", "x");
  EXPECT_FALSE(producer->Flush(milliseconds(1)));
  EXPECT_TRUE(producer->Flush(seconds(30)));
}

TEST_F(ProducerTest, WarmSaysThatNobodyAnswers) {
  cluster_.Down();
  const auto producer = Make({});
  EXPECT_FALSE(producer->Warm({"alerts"}, milliseconds(100)));
}

TEST_F(ProducerTest, AReportMayPublish) {
  const auto producer = Make({});
  producer->Publish({.topic = "alerts", .key = "a", .value = "1", .headers = {}},
                    [&](const PublishReport&) { Publish(*producer, "a", "2"); });
  ASSERT_TRUE(WaitReports(1));
  EXPECT_EQ(reports_.Get()[0].position.offset(), 1);
}

}  // namespace
}  // namespace tocsin::kafka
