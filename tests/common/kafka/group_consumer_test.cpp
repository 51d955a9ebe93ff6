#include "common/kafka/group_consumer.h"

#include <librdkafka/rdkafka.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <map>
#include <random>
#include <thread>

#include "tests/common/kafka/cluster.h"

namespace tocsin::kafka {
namespace {

class GroupConsumerTest : public ClusterTest {
 protected:
  GroupOptions Options(const std::string& topic) const {
    GroupOptions options;
    options.group = Name("group");
    options.topics = {topic};
    options.commit_interval = std::chrono::milliseconds(100);
    options.out_of_range_timeout = std::chrono::milliseconds(2'000);
    return options;
  }
  std::unique_ptr<GroupConsumer> Start(const GroupOptions& options, GroupConsumer::Handler handler,
                                       Hooks hooks = {}) {
    auto consumer = GroupConsumer::Start(settings_, options, std::move(handler), std::move(hooks));
    EXPECT_TRUE(consumer);
    return std::move(*consumer);
  }
  // A handler that counts records and completes them immediately.
  GroupConsumer::Handler Count() {
    return [this](IncomingRecord&& record, Completion complete) {
      seen_.Edit([&](auto& seen) { ++seen[record.value]; });
      complete();
      return true;
    };
  }
  bool WaitSeen(size_t count) {
    return seen_.Wait([&](const auto& seen) { return seen.size() >= count; });
  }

  // With its own timestamp.
  void PublishAt(const std::string& topic, const std::string& value,
                 std::chrono::system_clock::time_point time) {
    rd_kafka_conf_t* const conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", settings_.bootstrap_servers.c_str(), nullptr, 0);
    rd_kafka_t* const client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, nullptr, 0);
    const auto since = std::chrono::floor<std::chrono::milliseconds>(time).time_since_epoch();
    EXPECT_EQ(rd_kafka_producev(client, RD_KAFKA_V_TOPIC(topic.c_str()),
                                RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                                RD_KAFKA_V_VALUE(const_cast<char*>(value.data()), value.size()),
                                RD_KAFKA_V_TIMESTAMP(since.count()), RD_KAFKA_V_END),
              RD_KAFKA_RESP_ERR_NO_ERROR);
    EXPECT_EQ(rd_kafka_flush(client, 30'000), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_destroy(client);
  }

  // As Kafka does after the retention time.
  void DeleteRecordsBefore(const std::string& topic, std::int32_t partition, std::int64_t offset) {
    rd_kafka_conf_t* const conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", settings_.bootstrap_servers.c_str(), nullptr, 0);
    rd_kafka_t* const client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, nullptr, 0);
    rd_kafka_topic_partition_list_t* const list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic.c_str(), partition)->offset = offset;
    rd_kafka_DeleteRecords_t* deletion = rd_kafka_DeleteRecords_new(list);
    rd_kafka_queue_t* const queue = rd_kafka_queue_new(client);
    rd_kafka_DeleteRecords(client, &deletion, 1, nullptr, queue);
    rd_kafka_event_t* const response = rd_kafka_queue_poll(queue, 30'000);
    ASSERT_NE(response, nullptr);
    EXPECT_EQ(rd_kafka_event_error(response), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_event_destroy(response);
    rd_kafka_queue_destroy(queue);
    rd_kafka_DeleteRecords_destroy(deletion);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(client);
  }

  Watched<std::map<std::string, int>> seen_;  // value -> times
};

// R1
TEST_F(GroupConsumerTest, ReadsFromTheFirstUncompletedRecordAfterARestart) {
  const std::string topic = CreateTopic("lane", 1);
  PublishNumbers(topic, 0, 10);
  {
    Watched<std::map<std::string, Completion>> open;
    const auto consumer = Start(Options(topic), [&](IncomingRecord&& record, Completion complete) {
      open.Edit([&](auto& all) { all.emplace(record.value, std::move(complete)); });
      return true;
    });
    ASSERT_TRUE(open.Wait([](const auto& all) { return all.size() == 10; }));
    open.Edit([](auto& all) {  // all but 4, in reverse order
      for (auto complete = all.rbegin(); complete != all.rend(); ++complete)
        if (complete->first != "4") complete->second();
      all.clear();
    });
    EXPECT_TRUE(consumer->Stop());
  }
  const auto consumer = Start(Options(topic), Count());
  ASSERT_TRUE(WaitSeen(6));
  PublishNumbers(topic, 10, 11);
  ASSERT_TRUE(WaitSeen(7));
  const auto seen = seen_.Get();
  EXPECT_EQ(seen.size(), 7U);  // 4 … 10
  EXPECT_FALSE(seen.contains("3"));
}

TEST_F(GroupConsumerTest, MarksRecordsOlderThanItsAssignment) {  // R6
  const std::string topic = CreateTopic("lane", 1);
  PublishNumbers(topic, 0, 1);
  PublishAt(topic, "later", std::chrono::system_clock::now() + std::chrono::minutes(1));
  Watched<std::map<std::string, bool>> predating;
  const auto consumer = Start(Options(topic), [&](IncomingRecord&& record, Completion complete) {
    predating.Edit([&](auto& all) { all[record.value] = record.predates_assignment; });
    complete();
    return true;
  });
  ASSERT_TRUE(predating.Wait([](const auto& all) { return all.size() == 2; }));
  EXPECT_TRUE(predating.Get()["0"]);
  EXPECT_FALSE(predating.Get()["later"]);
}

TEST_F(GroupConsumerTest, StopsWhenItsCommittedOffsetIsOutOfRange) {
  const std::string topic = CreateTopic("lane", 1);
  PublishNumbers(topic, 0, 5);
  {
    const auto consumer = Start(Options(topic), Count());
    ASSERT_TRUE(WaitSeen(5));
    EXPECT_TRUE(consumer->Stop());  // commits 5
  }
  PublishNumbers(topic, 5, 10);
  DeleteRecordsBefore(topic, 0, 8);
  Watched<std::vector<Error>> failures;
  Hooks hooks;
  hooks.fatal = [&](const Error& error) {
    failures.Edit([&](auto& all) { all.push_back(error); });
  };
  const auto consumer = Start(Options(topic), Count(), hooks);
  ASSERT_TRUE(failures.Wait([](const auto& all) { return !all.empty(); }));
  EXPECT_EQ(failures.Get()[0].code, ErrorCode::kDataCorrupted);
  EXPECT_NE(failures.Get()[0].message.find(topic + "[0]"), std::string::npos);
  EXPECT_EQ(seen_.Get().size(), 5U);  // did not skip to 8
}

TEST_F(GroupConsumerTest, AMemberWithTheSameInstanceIdFencesTheFirst) {
  const std::string topic = CreateTopic("lane", 1);
  settings_.group_instance_id = "worker-1";
  Watched<std::vector<Error>> failures;
  Hooks hooks;
  hooks.fatal = [&](const Error& error) {
    failures.Edit([&](auto& all) { all.push_back(error); });
  };
  const auto first = Start(Options(topic), Count(), hooks);
  PublishNumbers(topic, 0, 1);
  ASSERT_TRUE(WaitSeen(1));
  const auto second = Start(Options(topic), Count());
  ASSERT_TRUE(failures.Wait([](const auto& all) { return !all.empty(); }));
  PublishNumbers(topic, 1, 2);
  EXPECT_TRUE(WaitSeen(2));
}

// R1: after SIGKILL a static member gets its partitions back.
TEST_F(GroupConsumerTest, AStaticMemberRereadsUncompletedRecordsAfterSigkill) {
  const std::string topic = CreateTopic("lane", 4);
  settings_.group_instance_id = "worker-1";
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();  // before this process has threads
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto consumer = Start(Options(topic), [&](IncomingRecord&&, Completion complete) {
      new Completion(std::move(complete));  // neither completed nor destroyed
      return write(ready[1], "x", 1) == 1;
    });
    pause();
    _exit(0);
  }
  PublishNumbers(topic, 0, 20);
  char taken = 0;
  for (int i = 0; i < 20; ++i) ASSERT_EQ(read(ready[0], &taken, 1), 1);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  close(ready[0]);
  close(ready[1]);
  const auto consumer = Start(Options(topic), Count());
  ASSERT_TRUE(WaitSeen(20));
}

TEST_F(GroupConsumerTest, TwoMembersShareATopicWithoutLoss) {
  const std::string topic = CreateTopic("lane", 6);
  auto first = Start(Options(topic), Count());
  PublishNumbers(topic, 0, 1'000);
  const auto second = Start(Options(topic), Count());
  PublishNumbers(topic, 1'000, 2'000);
  ASSERT_TRUE(Eventually([&] { return second->Gauges().size() == 3; }));
  PublishNumbers(topic, 2'000, 3'000);
  EXPECT_TRUE(first->Stop());
  PublishNumbers(topic, 3'000, 4'000);
  ASSERT_TRUE(WaitSeen(4'000));
  const auto seen = seen_.Get();
  int times = 0;
  for (const auto& [value, count] : seen) times += count;
  EXPECT_EQ(times, 4'000)
      << "every record was completed and committed before its partition was revoked";
}

TEST_F(GroupConsumerTest, ACompletionAfterTheRebalanceHasNoEffect) {
  const std::string topic = CreateTopic("lane", 2);
  GroupOptions options = Options(topic);
  options.drain_timeout = std::chrono::milliseconds(50);
  Watched<std::vector<Completion>> open;
  auto first = Start(options, [&](IncomingRecord&&, Completion complete) {
    open.Edit([&](auto& all) { all.push_back(std::move(complete)); });
    return true;
  });
  PublishNumbers(topic, 0, 10);
  ASSERT_TRUE(open.Wait([](const auto& all) { return all.size() == 10; }));
  EXPECT_TRUE(first->Stop());
  open.Edit([](auto& all) {
    for (Completion& complete : all) {
      EXPECT_TRUE(complete.Lost());
      complete();
    }
  });
  const auto second = Start(options, Count());
  EXPECT_TRUE(WaitSeen(10));
}

TEST_F(GroupConsumerTest, ReportsLagRecordsInFlightAndTheOldestUncompletedRecord) {
  const std::string topic = CreateTopic("lane", 1);
  Watched<std::vector<Completion>> open;
  const auto consumer = Start(Options(topic), [&](IncomingRecord&&, Completion complete) {
    open.Edit([&](auto& all) { all.push_back(std::move(complete)); });
    return true;
  });
  PublishNumbers(topic, 0, 3);
  ASSERT_TRUE(Eventually([&] {
    const auto gauges = consumer->Gauges();
    return gauges.size() == 1 && gauges[0].in_flight == 3 && gauges[0].lag == 3 &&
           gauges[0].oldest_uncompleted.has_value();
  }));
  EXPECT_TRUE(consumer->IsAssigned(topic, 0));
  EXPECT_FALSE(consumer->IsAssigned(topic, 1));
  open.Edit([](auto& all) {
    for (Completion& complete : all) complete();
  });
  EXPECT_TRUE(Eventually([&] { return consumer->Gauges()[0].lag == 0; }));
}

TEST_F(GroupConsumerTest, LosesNoRecordsThroughManyPauses) {
  const std::string topic = CreateTopic("lane", 3);
  GroupOptions options = Options(topic);
  options.pause_at = 32;
  options.resume_at = 16;
  options.retry_interval = std::chrono::milliseconds(1);
  std::minstd_rand random(7);  // polling thread only
  const auto consumer = Start(options, [&](IncomingRecord&& record, Completion complete) {
    if (random() % 4 != 0) return false;
    seen_.Edit([&](auto& seen) { ++seen[record.value]; });
    complete();
    return true;
  });
  PublishNumbers(topic, 0, 3'000);
  ASSERT_TRUE(WaitSeen(3'000));
  for (const auto& [value, times] : seen_.Get()) EXPECT_EQ(times, 1) << value;
}

}  // namespace
}  // namespace tocsin::kafka
