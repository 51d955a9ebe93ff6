#include "common/kafka/log_reader.h"

#include <gmock/gmock.h>

#include <map>
#include <set>

#include "tests/common/kafka/cluster.h"

namespace tocsin::kafka {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

class LogReaderTest : public ClusterTest {
 protected:
  static SteadyTime Soon() { return std::chrono::steady_clock::now() + std::chrono::seconds(20); }
  std::set<std::string> Read(const std::string& topic, WallTime from) {
    LogReader reader(settings_, {});
    std::set<std::string> read;
    const Status status = reader.Read(
        {topic}, from, [&](const IncomingRecord& record) { read.insert(record.value); }, {});
    EXPECT_TRUE(status) << status.error().message;
    return read;
  }
};

TEST_F(LogReaderTest, ReadsAllPartitionsToTheirEnd) {  // R1
  const std::string topic = CreateTopic("past", 3);
  EXPECT_THAT(Read(topic, WallTime()), IsEmpty());
  PublishNumbers(topic, 0, 200);
  EXPECT_THAT(Read(topic, WallTime()), SizeIs(200));
  const auto later = std::chrono::time_point_cast<Micros>(std::chrono::system_clock::now()) +
                     std::chrono::hours(1);
  EXPECT_THAT(Read(topic, later), IsEmpty());
}

TEST_F(LogReaderTest, EndsWhenAStopIsRequested) {
  const std::string topic = CreateTopic("stopped", 1);
  PublishNumbers(topic, 0, 50);
  LogReader reader(settings_, {});
  std::stop_source stop;
  int read = 0;
  EXPECT_FALSE(reader.Read(
      {topic}, WallTime(),
      [&](const IncomingRecord&) {
        ++read;
        stop.request_stop();
      },
      stop.get_token()));
  EXPECT_EQ(read, 1);
}

TEST_F(LogReaderTest, ReadsAPartitionUpToAGivenRecord) {  // R6
  const std::string topic = CreateTopic("upto", 2);
  PublishNumbers(topic, 0, 40);
  records::v1::Position last;
  last.set_topic(topic);
  last.set_partition(1);
  last.set_offset(3);
  LogReader reader(settings_, {});
  std::vector<std::int64_t> read;
  const Status status = reader.ReadTo(last, WallTime(), Soon(), [&](const IncomingRecord& record) {
    EXPECT_EQ(record.position.partition(), 1);
    read.push_back(record.position.offset());
  });
  EXPECT_TRUE(status) << status.error().message;
  EXPECT_THAT(read, testing::ElementsAre(0, 1, 2, 3));
}

TEST_F(LogReaderTest, ReadsThePartitionOfAKey) {  // R1
  const std::string topic = CreateTopic("keyed", 3);
  PublishNumbers(topic, 0, 60);
  LogReader reader(settings_, {});
  std::map<std::string, std::int32_t> partitions;
  ASSERT_TRUE(reader.Read(
      {topic}, WallTime(),
      [&](const IncomingRecord& record) { partitions[record.key] = record.position.partition(); },
      {}));
  ASSERT_FALSE(partitions.empty());
  for (const auto& [key, partition] : partitions) {
    bool found = false;
    ASSERT_TRUE(reader.ReadKey(topic, key, WallTime(), Soon(), [&](const IncomingRecord& record) {
      EXPECT_EQ(record.position.partition(), partition);
      found = found || record.key == key;
    }));
    EXPECT_TRUE(found);
    if (partition == 2) break;
  }
  EXPECT_FALSE(reader.ReadKey(topic, "any", WallTime(), SteadyTime(), [](const auto&) {}));
}

TEST_F(LogReaderTest, ReturnsTheRecordAtAPosition) {
  const std::string topic = CreateTopic("one", 1);
  PublishNumbers(topic, 0, 5);
  LogReader reader(settings_, {});
  records::v1::Position position;
  position.set_topic(topic);
  position.set_offset(3);
  const auto found = reader.At(position);
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_TRUE(*found);
  EXPECT_EQ((*found)->value, "3");
  position.set_offset(5);
  EXPECT_FALSE(reader.At(position)->has_value());
}

}  // namespace
}  // namespace tocsin::kafka
