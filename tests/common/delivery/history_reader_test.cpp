#include "common/delivery/history_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <optional>

#include "common/async/event_loop.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/record_history.h"

namespace tocsin {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* kTopic = "events";

// The first reading waits until it is released.
class SlowHistory final : public RecordHistory {
 public:
  Status Read(const std::vector<std::string>&, WallTime, const Handle&, std::stop_token) override {
    return {};
  }
  Status ReadTo(const records::v1::Position& last, WallTime from, SteadyTime deadline,
                const Handle& handle) override {
    if (readings++ == 0) {
      started.count_down();
      released.wait();
    }
    return log.ReadTo(last, from, deadline, handle);
  }
  Status ReadKey(const std::string&, const std::string&, WallTime, SteadyTime,
                 const Handle&) override {
    return {};
  }
  Result<std::optional<IncomingRecord>> At(const records::v1::Position&) override {
    return std::optional<IncomingRecord>();
  }

  FakeRecordHistory log;
  std::atomic<int> readings{0};
  std::latch started{1};
  std::latch released{1};
};

class HistoryReaderTest : public testing::Test {
 protected:
  static records::v1::Position PositionOf(std::int64_t offset, std::int32_t partition = 0) {
    records::v1::Position position;
    position.set_topic(kTopic);
    position.set_partition(partition);
    position.set_offset(offset);
    return position;
  }
  void Append(const std::string& key, std::int32_t partition = 0) {
    IncomingRecord record;
    record.position = PositionOf(static_cast<std::int64_t>(history.log.records.size()), partition);
    record.key = key;
    record.append_time = clock.Now();
    history.log.records.push_back(std::move(record));
  }
  // The offsets of the records that ReadTo() returns; nothing if it fails.
  Task<void> Read(const std::string& alert_id, std::int64_t last, std::int32_t partition = 0,
                  Micros age = std::chrono::minutes(16)) {
    const auto number = results.size();
    results.emplace_back();
    const auto found = co_await reader.ReadTo(alert_id, PositionOf(last, partition),
                                              clock.Now() - age, SteadyTime::max());
    if (found) results[number].emplace();
    if (found)
      for (const IncomingRecord& record : *found)
        results[number]->push_back(record.position.offset());
    ++ended;
    loop.Stop();
  }
  void RunUntilEnded(std::size_t count) {
    while (ended < count) loop.Run();
  }

  ManualClock clock;
  EventLoop loop;
  SlowHistory history;
  HistoryReader reader{clock, loop, history};
  TaskGroup tasks;
  std::vector<std::optional<std::vector<std::int64_t>>> results;
  std::size_t ended = 0;
};

TEST_F(HistoryReaderTest, CallsThatWaitForAPartitionShareTheNextReading) {  // R6
  for (const char* key : {"a", "b", "a", "c", "b", "a"}) Append(key);
  tasks.Start(Read("a", 2));
  for (const auto& [alert, last] : {std::pair("b", 4), std::pair("a", 3), std::pair("a", 5)})
    tasks.Start(Read(alert, last));
  history.released.count_down();
  RunUntilEnded(results.size());
  EXPECT_THAT(*results[0], ElementsAre(0, 2));
  EXPECT_THAT(*results[1], ElementsAre(1, 4));
  EXPECT_THAT(*results[2], ElementsAre(0, 2)) << "not what follows its last record";
  EXPECT_THAT(*results[3], ElementsAre(0, 2, 5));
  EXPECT_EQ(history.readings, 2);
}

TEST_F(HistoryReaderTest, PartitionsAreReadConcurrently) {
  Append("a", 0);
  Append("a", 1);
  tasks.Start(Read("a", 0, 0));
  tasks.Start(Read("a", 1, 1));
  RunUntilEnded(1);
  EXPECT_EQ(history.readings, 2);
  history.released.count_down();
  RunUntilEnded(results.size());
}

TEST_F(HistoryReaderTest, ALongReadingDelaysNoShortOne) {  // R6
  Append("a");
  tasks.Start(Read("a", 0, 0, std::chrono::hours(10)));
  history.started.wait();
  tasks.Start(Read("a", 0));
  RunUntilEnded(1);
  EXPECT_FALSE(results[0]);
  EXPECT_THAT(*results[1], ElementsAre(0));
  history.released.count_down();
  RunUntilEnded(2);
}

TEST_F(HistoryReaderTest, AReadingThatFailsFailsForAllOfItsCalls) {
  history.log.unavailable = true;
  for (int i = 0; i < 3; ++i) tasks.Start(Read("a", i));
  history.released.count_down();
  RunUntilEnded(results.size());
  for (const auto& result : results) EXPECT_FALSE(result);
}

TEST_F(HistoryReaderTest, ReadsNothingForCallsThatNobodyAwaits) {
  tasks.Start(Read("a", 0));
  {
    TaskGroup dropped;
    dropped.Start(Read("b", 0));
  }
  results.pop_back();
  history.released.count_down();
  RunUntilEnded(results.size());
  EXPECT_THAT(*results[0], IsEmpty());
  EXPECT_EQ(history.readings, 1);
}

}  // namespace
}  // namespace tocsin
