#include "common/kafka/partitioner.h"

#include "tests/common/kafka/cluster.h"

namespace tocsin::kafka {
namespace {

class PartitionerTest : public ClusterTest {};

TEST_F(PartitionerTest, AgreesWithTheProducer) {
  const std::string topic = CreateTopic("keys", 12);
  auto producer = Producer::Create(settings_, ProducerProfile{});
  ASSERT_TRUE(producer);
  std::vector<OutgoingRecord> records;
  for (int i = 0; i < 200; ++i)
    records.push_back(
        {.topic = topic, .key = "key-" + std::to_string(i), .value = "x", .headers = {}});
  records.push_back({.topic = topic, .key = "", .value = "x", .headers = {}});
  const auto keys = records;
  const auto positions = (*producer)->PublishAndWait(std::move(records));
  ASSERT_TRUE(positions);
  for (size_t i = 0; i < keys.size(); ++i)
    EXPECT_EQ((*positions)[i].partition(), PartitionFor(keys[i].key, 12)) << keys[i].key;
}

}  // namespace
}  // namespace tocsin::kafka
