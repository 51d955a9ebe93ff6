#include <gmock/gmock.h>

#include "common/kafka/adaptive_producer.h"
#include "tests/common/kafka/cluster.h"

namespace tocsin::kafka {
namespace {

using ::testing::HasSubstr;

class ProducerClusterTest : public ClusterTest {};

TEST_F(ProducerClusterTest, FetchMetadataNamesAMissingTopic) {
  const std::string topic = CreateTopic("lane", 1);
  auto producer = Producer::Create(settings_, ProducerProfile{});
  ASSERT_TRUE(producer);
  EXPECT_TRUE((*producer)->FetchMetadata({topic}, kAdminTimeout));
  const Status missing = (*producer)->FetchMetadata({topic, Name("missing")}, kAdminTimeout);
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message, HasSubstr(Name("missing")));
}

TEST_F(ProducerClusterTest, KeepsTheOrderOfRecordsWithTheSameKey) {
  const std::string topic = CreateTopic("lane", 4);
  auto producer = AdaptiveProducer::Create(settings_, kIngressProfile,
                                           [](const std::string&) { return Hooks{}; });
  ASSERT_TRUE(producer);
  std::vector<OutgoingRecord> records;
  for (int i = 0; i < 10'000; ++i)
    records.push_back({.topic = topic,
                       .key = std::to_string(i % 7),
                       .value = std::string(300, 'x'),
                       .headers = {{"schema", "tocsin.records.v1.WorkRecord"}}});
  const auto positions = (*producer)->PublishAndWait(std::move(records));
  ASSERT_TRUE(positions) << positions.error().message;
  for (size_t i = 7; i < positions->size(); ++i) {
    EXPECT_EQ((*positions)[i].partition(), (*positions)[i - 7].partition());
    EXPECT_GT((*positions)[i].offset(), (*positions)[i - 7].offset());
  }
}

}  // namespace
}  // namespace tocsin::kafka
