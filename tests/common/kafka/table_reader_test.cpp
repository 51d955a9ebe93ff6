#include "common/kafka/table_reader.h"

#include <map>

#include "tests/common/kafka/cluster.h"

namespace tocsin::kafka {
namespace {

class TableReaderTest : public ClusterTest {
 protected:
  std::unique_ptr<TableReader> Read(std::vector<std::string> topics) {
    auto reader = TableReader::Start(settings_, std::move(topics), [this](const IncomingRecord& r) {
      table_.Edit([&](auto& table) { table[r.key] = r.value; });
    });
    EXPECT_TRUE(reader);
    return std::move(*reader);
  }
  static SteadyTime Soon() { return std::chrono::steady_clock::now() + kWaitTimeout; }

  Watched<std::map<std::string, std::string>> table_;
};

TEST_F(TableReaderTest, IsNotCaughtUpWithoutABroker) {
  settings_.bootstrap_servers = "127.0.0.1:1";
  const auto reader = Read({"any"});
  EXPECT_FALSE(
      reader->WaitCaughtUp(std::chrono::steady_clock::now() + std::chrono::milliseconds(50)));
  EXPECT_FALSE(reader->CaughtUp());
}

TEST_F(TableReaderTest, WaitsForATopicThatIsCreatedLater) {
  const auto reader = Read({Name("later")});
  CreateTopic("later", 2, true);
  PublishNumbers(Name("later"), 0, 3);
  ASSERT_TRUE(reader->WaitCaughtUp(Soon()));
  EXPECT_TRUE(table_.Wait([](const auto& table) { return table.size() == 3; }));
}

TEST_F(TableReaderTest, HasReadAllExistingRecordsWhenItIsCaughtUp) {
  const std::string full = CreateTopic("full", 3, true);
  const std::string empty = CreateTopic("empty", 1, true);
  PublishNumbers(full, 0, 1'000);
  const auto reader = Read({full, empty});
  ASSERT_TRUE(reader->WaitCaughtUp(Soon()));
  EXPECT_EQ(table_.Get().size(), 1'000U);
}

TEST_F(TableReaderTest, ReadsNewRecordsAfterItCaughtUp) {
  const std::string topic = CreateTopic("table", 1, true);
  const auto reader = Read({topic});
  ASSERT_TRUE(reader->WaitCaughtUp(Soon()));
  PublishNumbers(topic, 0, 5);
  EXPECT_TRUE(table_.Wait([](const auto& table) { return table.size() == 5; }));
}

}  // namespace
}  // namespace tocsin::kafka
