#include "common/kafka/projection_consumer.h"

#include <gmock/gmock.h>

#include <atomic>
#include <map>
#include <utility>

#include "tests/common/kafka/cluster.h"

namespace tocsin::kafka {
namespace {

// A store that keeps the offsets with the applied records, as PostgreSQL does for audit.
struct Store {
  std::map<std::pair<std::string, std::int32_t>, std::int64_t> next;
  std::map<std::string, int> seen;  // value -> times
  int gaps = 0;                     // batches that did not start at the stored offset
  int failing_reads = 0;            // next_offset() fails as often
  int failing_batches = 0;          // apply() fails as often
  int batches = 0;                  // applied
  bool lost = false;                // batches, since the last check
};

class ProjectionConsumerTest : public ClusterTest {
 protected:
  std::unique_ptr<ProjectionConsumer> Start(const std::string& topic, Hooks hooks = {},
                                            std::function<bool()> awaited = {}) {
    ProjectionOptions options;
    options.max_wait = std::chrono::hours(1);
    options.group = Name("audit");
    options.topics = {topic};
    options.max_records = 100;
    options.retry_base = std::chrono::milliseconds(10);
    options.check_interval = std::chrono::milliseconds(100);
    options.out_of_range_timeout = std::chrono::milliseconds(2'000);
    ProjectionStore callbacks;
    callbacks.next_offset = [this](const std::string& name, std::int32_t partition) {
      return store_.Edit([&](Store& store) -> Result<std::optional<std::int64_t>> {
        if (store.failing_reads > 0 && store.failing_reads-- > 0)
          return Fail(ErrorCode::kPostgresUnavailable, "down");
        const auto found = store.next.find({name, partition});
        if (found == store.next.end()) return std::optional<std::int64_t>();
        return std::optional<std::int64_t>(found->second);
      });
    };
    callbacks.apply = [this](std::span<const IncomingRecord> batch) {
      return store_.Edit([&](Store& store) { return Apply(store, batch); });
    };
    callbacks.awaited = std::move(awaited);
    callbacks.check = [this] {
      return store_.Edit([](Store& store) -> Status {
        if (std::exchange(store.lost, false)) return Fail(ErrorCode::kOutcomeUnknown, "lost");
        return {};
      });
    };
    auto consumer = ProjectionConsumer::Start(settings_, options, callbacks, std::move(hooks));
    EXPECT_TRUE(consumer);
    return std::move(*consumer);
  }

  // Refuses records that do not continue at the stored offset, as the store's transaction does.
  static Status Apply(Store& store, std::span<const IncomingRecord> batch) {
    if (store.failing_batches > 0 && store.failing_batches-- > 0)
      return Fail(ErrorCode::kPostgresUnavailable, "down");
    auto next = store.next;
    for (const IncomingRecord& record : batch) {
      auto& expected = next[{record.position.topic(), record.position.partition()}];
      if (record.position.offset() != expected) {
        ++store.gaps;
        return Fail(ErrorCode::kInternal, "not the next offset");
      }
      ++expected;
    }
    store.next = next;
    ++store.batches;
    for (const IncomingRecord& record : batch) ++store.seen[record.value];
    return {};
  }

  bool WaitSeen(size_t count) {
    return store_.Wait([&](const Store& store) { return store.seen.size() >= count; });
  }
  void ExpectEachOnce(size_t count) {
    const Store store = store_.Get();
    EXPECT_EQ(store.seen.size(), count);
    for (const auto& [value, times] : store.seen) EXPECT_EQ(times, 1) << value;
  }

  Watched<Store> store_;
};

TEST_F(ProjectionConsumerTest, RetriesUntilTheStoredOffsetsCanBeRead) {
  const std::string topic = CreateTopic("events", 3);
  PublishNumbers(topic, 0, 300);
  store_.Edit([](Store& store) { store.failing_reads = 3; });
  const auto consumer = Start(topic);
  ASSERT_TRUE(WaitSeen(300));
  ExpectEachOnce(300);
}

TEST_F(ProjectionConsumerTest, ContinuesAtTheStoredOffsetsAfterAFailedBatch) {
  const std::string topic = CreateTopic("events", 3);
  PublishNumbers(topic, 0, 500);
  store_.Edit([](Store& store) { store.failing_batches = 4; });
  const auto consumer = Start(topic);
  ASSERT_TRUE(WaitSeen(500));
  PublishNumbers(topic, 500, 1'000);
  store_.Edit([](Store& store) { store.failing_batches = 3; });
  PublishNumbers(topic, 1'000, 1'500);
  ASSERT_TRUE(WaitSeen(1'500));
  ExpectEachOnce(1'500);
  EXPECT_EQ(store_.Get().gaps, 0);
}

// No further record shows that the store lost the last ones.
TEST_F(ProjectionConsumerTest, ReadsRecordsAgainThatTheStoreLostWhileThereWereNoNewOnes) {
  const std::string topic = CreateTopic("events", 3);
  PublishNumbers(topic, 0, 100);
  const auto consumer = Start(topic);
  ASSERT_TRUE(WaitSeen(100));
  const Store before = store_.Get();
  store_.Edit([](Store& store) {
    store.next.clear();
    store.seen.clear();
    store.lost = true;
  });
  ASSERT_TRUE(WaitSeen(100));
  ExpectEachOnce(100);
  ASSERT_TRUE(store_.Wait([&](const Store& store) { return store.next == before.next; }));
}

TEST_F(ProjectionConsumerTest, CollectsABatchUntilAClientWaits) {
  const std::string topic = CreateTopic("events", 3);
  std::atomic<bool> awaited = true;
  const auto consumer = Start(topic, {}, [&] { return awaited.load(); });
  PublishNumbers(topic, 0, 1);
  ASSERT_TRUE(WaitSeen(1));
  awaited = false;
  const int before = store_.Get().batches;
  for (int number = 1; number < 20; ++number) PublishNumbers(topic, number, number + 1);
  awaited = true;
  ASSERT_TRUE(WaitSeen(20));
  EXPECT_LE(store_.Get().batches, before + 2);
}

// The store reports them under its own name.
TEST_F(ProjectionConsumerTest, DoesNotLogTheErrorsOfTheStore) {
  const std::string topic = CreateTopic("events", 3);
  PublishNumbers(topic, 0, 100);
  store_.Edit([](Store& store) { store.failing_reads = store.failing_batches = 2; });
  Watched<std::vector<std::string>> lines;
  Hooks hooks;
  hooks.log = [&](int, std::string_view line) {
    lines.Edit([&](std::vector<std::string>& all) { all.emplace_back(line); });
  };
  const auto consumer = Start(topic, hooks);
  ASSERT_TRUE(WaitSeen(100));
  EXPECT_THAT(lines.Get(), testing::Not(testing::Contains(testing::HasSubstr("down"))));
}

TEST_F(ProjectionConsumerTest, IgnoresTheOffsetsCommittedToKafka) {
  const std::string topic = CreateTopic("events", 2);
  PublishNumbers(topic, 0, 200);
  {
    const auto first = Start(topic);
    ASSERT_TRUE(WaitSeen(200));
    EXPECT_TRUE(first->Stop());  // commits its offsets to Kafka
  }
  store_.Edit([](Store& store) { store = Store{}; });  // the store was reset
  const auto second = Start(topic);
  ASSERT_TRUE(WaitSeen(200));
  ExpectEachOnce(200);
}

TEST_F(ProjectionConsumerTest, StopsWhenTheStoredOffsetIsOutOfRange) {
  const std::string topic = CreateTopic("events", 1);
  PublishNumbers(topic, 0, 10);
  store_.Edit([&](Store& store) { store.next[{topic, 0}] = 1'000'000; });
  Watched<std::vector<Error>> failures;
  Hooks hooks;
  hooks.fatal = [&](const Error& error) {
    failures.Edit([&](auto& all) { all.push_back(error); });
  };
  const auto consumer = Start(topic, hooks);
  ASSERT_TRUE(failures.Wait([](const auto& all) { return !all.empty(); }));
  EXPECT_THAT(failures.Get()[0].message, testing::HasSubstr(topic + "[0]"));
  EXPECT_THAT(failures.Get()[0].message,
              testing::HasSubstr("of a projection, the one in its store"));
  EXPECT_TRUE(store_.Get().seen.empty());
}

TEST_F(ProjectionConsumerTest, TwoMembersShareTheTopicWithoutLossOrRepetition) {
  const std::string topic = CreateTopic("events", 6);
  const auto first = Start(topic);
  PublishNumbers(topic, 0, 1'000);
  const auto second = Start(topic);
  PublishNumbers(topic, 1'000, 2'000);
  ASSERT_TRUE(Eventually([&] { return second->Gauges().size() == 3; }));
  PublishNumbers(topic, 2'000, 3'000);
  EXPECT_TRUE(first->Stop());
  PublishNumbers(topic, 3'000, 4'000);
  ASSERT_TRUE(WaitSeen(4'000));
  ExpectEachOnce(4'000);
}

}  // namespace
}  // namespace tocsin::kafka
