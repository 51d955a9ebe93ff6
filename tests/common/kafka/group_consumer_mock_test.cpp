#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "common/kafka/group_consumer.h"
#include "common/kafka/producer.h"
#include "tests/common/kafka/eventually.h"
#include "tests/common/kafka/mock_cluster.h"

namespace tocsin::kafka {
namespace {

constexpr std::chrono::seconds kReadingTimeout{60};

class GroupConsumerMockTest : public ::testing::Test {
 protected:
  GroupConsumerMockTest() {
    cluster_.CreateTopic("lane", 1);
    auto producer = Producer::Create(cluster_.Settings(), ProducerProfile{});
    EXPECT_TRUE(producer);
    producer_ = std::move(*producer);
  }

  void Publish(int count) {
    std::vector<OutgoingRecord> records;
    for (int i = 0; i < count; ++i)
      records.push_back(
          {.topic = "lane", .key = "k", .value = std::to_string(published_++), .headers = {}});
    ASSERT_TRUE(producer_->PublishAndWait(std::move(records)));
  }
  std::unique_ptr<GroupConsumer> Start(Hooks hooks = {}) {
    GroupOptions options;
    options.group = "group";
    options.topics = {"lane"};
    options.pause_at = 8;
    options.resume_at = 2;
    auto consumer = GroupConsumer::Start(
        cluster_.Settings(), options,
        [this](IncomingRecord&& record, Completion complete) {
          if (room_ == 0) {
            ++refusals_;
            return false;
          }
          --room_;
          values_.Edit([&](auto& values) { values.push_back(record.value); });
          complete();
          return true;
        },
        std::move(hooks));
    EXPECT_TRUE(consumer);
    return std::move(*consumer);
  }
  bool WaitValues(size_t count) {
    return values_.Wait([&](const auto& values) { return values.size() >= count; });
  }
  void ExpectAllOnceInOrder(size_t count) {
    const auto values = values_.Get();
    ASSERT_EQ(values.size(), count);
    for (size_t i = 0; i < count; ++i) EXPECT_EQ(values[i], std::to_string(i));
  }

  MockCluster cluster_;
  std::unique_ptr<Producer> producer_;
  int published_ = 0;
  std::atomic<int> room_{1'000'000};
  std::atomic<int> refusals_{0};
  Watched<std::vector<std::string>> values_;
};

TEST_F(GroupConsumerMockTest, RetriesRefusedRecordsInOrderWithoutLoss) {
  room_ = 5;
  const auto consumer = Start();
  Publish(500);
  ASSERT_TRUE(WaitValues(5));
  for (const int more : {3, 20, 100, 372}) {  // pauses and resumes the partition many times
    const int seen = refusals_;
    ASSERT_TRUE(Eventually([&] { return refusals_ > seen; }));
    room_ += more;
  }
  ASSERT_TRUE(WaitValues(500));
  ExpectAllOnceInOrder(500);
}

TEST_F(GroupConsumerMockTest, KeepsRecordsWhileTheHandlerRefusesThem) {
  const auto consumer = Start();
  Publish(10);
  ASSERT_TRUE(WaitValues(10));
  room_ = 0;
  Publish(30);
  ASSERT_TRUE(Eventually([&] { return refusals_ > 0; }));
  EXPECT_EQ(values_.Get().size(), 10U);
  room_ = 1'000'000;
  ASSERT_TRUE(WaitValues(40));
  ExpectAllOnceInOrder(40);
}

TEST_F(GroupConsumerMockTest, PausesAndResumesRepeatedlyWithoutLossOrRepetition) {
  const auto consumer = Start();
  for (int round = 0; round < 20; ++round) {
    Publish(50);
    room_ = 0;
    Publish(50);
    room_ = 1'000'000;
  }
  ASSERT_TRUE(WaitValues(2'000));
  ExpectAllOnceInOrder(2'000);
}

TEST_F(GroupConsumerMockTest, IsReadingWhenTheFirstFetchIsAnswered) {
  cluster_.Down();
  const auto consumer = Start();
  EXPECT_FALSE(consumer->WaitUntilReading(std::chrono::steady_clock::now()));
  EXPECT_FALSE(consumer->IsAssigned("lane", 0));
  cluster_.Up();
  ASSERT_TRUE(consumer->WaitUntilReading(std::chrono::steady_clock::now() + kReadingTimeout));
  EXPECT_TRUE(consumer->IsAssigned("lane", 0));
}

TEST_F(GroupConsumerMockTest, IsReadingWithoutAPartition) {
  const auto first = Start();
  ASSERT_TRUE(first->WaitUntilReading(std::chrono::steady_clock::now() + kReadingTimeout));
  const auto second = Start();
  ASSERT_TRUE(second->WaitUntilReading(std::chrono::steady_clock::now() + kReadingTimeout));
  // The topic has one partition, and the group may still be distributing it.
  EXPECT_TRUE(
      Eventually([&] { return first->IsAssigned("lane", 0) != second->IsAssigned("lane", 0); }));
}

// The session times out while no coordinator responds, as during the loss of a broker.
TEST_F(GroupConsumerMockTest, JoinsAgainWhenItIsFencedAfterItsSessionTimedOut) {
  std::atomic<int> lost{0};
  std::atomic<int> failures{0};
  Hooks hooks;
  hooks.log = [&](int, std::string_view line) {
    if (line.starts_with("SESSTMOUT")) ++lost;
  };
  hooks.fatal = [&](const Error&) { ++failures; };
  const auto consumer = Start(hooks);
  Publish(10);
  ASSERT_TRUE(WaitValues(10));
  cluster_.FenceNextJoin();
  cluster_.Down();
  ASSERT_TRUE(Eventually([&] { return lost > 0; }));
  cluster_.Up();
  ASSERT_TRUE(Eventually([&] { return consumer->IsAssigned("lane", 0); }));
  const size_t before = values_.Get().size();  // what was not committed is read again
  Publish(10);
  EXPECT_TRUE(Eventually([&] { return values_.Get().back() == "19"; }));
  EXPECT_GE(values_.Get().size(), before + 10);
  EXPECT_EQ(failures, 0);
  EXPECT_TRUE(consumer->Stop());
}

TEST_F(GroupConsumerMockTest, ReadsAgainAfterItsSessionTimedOutDuringAPause) {
  std::atomic<int> lost{0};
  Hooks hooks;
  hooks.log = [&](int, std::string_view line) {
    if (line.starts_with("SESSTMOUT")) ++lost;
  };
  const auto consumer = Start(hooks);
  Publish(10);
  ASSERT_TRUE(WaitValues(10));
  room_ = 0;
  Publish(30);
  ASSERT_TRUE(Eventually([&] { return refusals_ > 20; }));
  cluster_.Down();
  ASSERT_TRUE(Eventually([&] { return lost > 0; }));
  cluster_.Up();
  ASSERT_TRUE(Eventually([&] { return consumer->IsAssigned("lane", 0); }));
  room_ = 1'000'000;
  Publish(10);
  EXPECT_TRUE(Eventually([&] { return values_.Get().back() == "49"; }));
}

TEST_F(GroupConsumerMockTest, ReadsAgainWhereItsOffsetWasOutOfRangeForAMoment) {
  std::atomic<int> out_of_range{0};
  std::atomic<int> failures{0};
  Hooks hooks;
  hooks.log = [&](int, std::string_view line) {
    if (line.starts_with("offset out of range")) ++out_of_range;
  };
  hooks.fatal = [&](const Error&) { ++failures; };
  const auto consumer = Start(hooks);
  Publish(10);
  ASSERT_TRUE(WaitValues(10));
  // librdkafka reads the first response at the end of the log as its end, whatever its error.
  cluster_.FailNextFetches(2);
  ASSERT_TRUE(Eventually([&] { return out_of_range >= 1; }));
  Publish(10);
  EXPECT_TRUE(Eventually([&] { return values_.Get().back() == "19"; }));
  const auto values = values_.Get();  // what was not committed is read again
  for (int i = 0; i < 20; ++i) EXPECT_THAT(values, ::testing::Contains(std::to_string(i)));
  EXPECT_EQ(failures, 0);
}

TEST_F(GroupConsumerMockTest, StopsInBoundedTimeWithoutABroker) {
  const auto consumer = Start();
  Publish(1);
  ASSERT_TRUE(WaitValues(1));
  cluster_.Down();
  consumer->Stop();  // false if librdkafka's close waits for the broker
  cluster_.Up();
  Publish(1);
  EXPECT_TRUE(Eventually([&] { return consumer->Stop(); }));
  EXPECT_EQ(values_.Get().size(), 1U);
}

}  // namespace
}  // namespace tocsin::kafka
