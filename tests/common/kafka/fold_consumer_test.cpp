#include "common/kafka/fold_consumer.h"

#include <map>

#include "tests/common/kafka/cluster.h"

namespace tocsin::kafka {
namespace {

// A store that keeps positions with what it folded, as PostgreSQL does for audit.
struct Store {
  std::map<std::pair<std::string, std::int32_t>, std::int64_t> next;
  std::map<std::string, int> seen;  // value -> times
  int gaps = 0;                     // batches that did not begin where the store ended
  int positions_down = 0;           // questions to fail
  int folds_down = 0;               // batches to fail
};

class FoldConsumerTest : public ClusterTest {
 protected:
  std::unique_ptr<FoldConsumer> Start(const std::string& topic, Hooks hooks = {}) {
    FoldOptions options;
    options.group = Name("audit");
    options.topics = {topic};
    options.max_records = 100;
    options.retry_base = std::chrono::milliseconds(10);
    Folding folding;
    folding.position = [this](const std::string& name, std::int32_t partition) {
      return store_.Edit([&](Store& store) -> Result<std::optional<std::int64_t>> {
        if (store.positions_down > 0 && store.positions_down-- > 0)
          return Fail(ErrorCode::kPostgresUnavailable, "down");
        const auto found = store.next.find({name, partition});
        if (found == store.next.end()) return std::optional<std::int64_t>();
        return std::optional<std::int64_t>(found->second);
      });
    };
    folding.fold = [this](std::span<const IncomingRecord> batch) {
      return store_.Edit([&](Store& store) { return Fold(store, batch); });
    };
    auto consumer = FoldConsumer::Start(settings_, options, folding, std::move(hooks));
    EXPECT_TRUE(consumer);
    return std::move(*consumer);
  }

  // As the store's transaction: records folded before are refused, positions must fit.
  static Status Fold(Store& store, std::span<const IncomingRecord> batch) {
    if (store.folds_down > 0 && store.folds_down-- > 0)
      return Fail(ErrorCode::kPostgresUnavailable, "down");
    auto next = store.next;
    for (const IncomingRecord& record : batch) {
      auto& expected = next[{record.position.topic(), record.position.partition()}];
      if (record.position.offset() != expected) {
        ++store.gaps;
        return Fail(ErrorCode::kInternal, "another member folded it");
      }
      ++expected;
    }
    store.next = next;
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

TEST_F(FoldConsumerTest, AsksAgainUntilPositionsAreTold) {
  const std::string topic = CreateTopic("events", 3);
  PublishNumbers(topic, 0, 300);
  store_.Edit([](Store& store) { store.positions_down = 3; });
  const auto consumer = Start(topic);
  ASSERT_TRUE(WaitSeen(300));
  ExpectEachOnce(300);
}

TEST_F(FoldConsumerTest, GoesBackToTheStoresPositionsAfterAFailedFold) {
  const std::string topic = CreateTopic("events", 3);
  PublishNumbers(topic, 0, 500);
  store_.Edit([](Store& store) { store.folds_down = 4; });
  const auto consumer = Start(topic);
  ASSERT_TRUE(WaitSeen(500));
  PublishNumbers(topic, 500, 1'000);
  store_.Edit([](Store& store) { store.folds_down = 3; });
  PublishNumbers(topic, 1'000, 1'500);
  ASSERT_TRUE(WaitSeen(1'500));
  ExpectEachOnce(1'500);
  EXPECT_EQ(store_.Get().gaps, 0);
}

TEST_F(FoldConsumerTest, BelievesTheStoreAndNotTheGroup) {
  const std::string topic = CreateTopic("events", 2);
  PublishNumbers(topic, 0, 200);
  {
    const auto first = Start(topic);
    ASSERT_TRUE(WaitSeen(200));
    EXPECT_TRUE(first->Stop());  // its hints are committed
  }
  store_.Edit([](Store& store) { store = Store{}; });  // the store was restored to nothing
  const auto second = Start(topic);
  ASSERT_TRUE(WaitSeen(200));
  ExpectEachOnce(200);
}

TEST_F(FoldConsumerTest, StopsAtAPositionThatTheLogDoesNotHave) {
  const std::string topic = CreateTopic("events", 1);
  PublishNumbers(topic, 0, 10);
  store_.Edit([&](Store& store) { store.next[{topic, 0}] = 1'000'000; });
  Watched<std::vector<Error>> failures;
  Hooks hooks;
  hooks.failed = [&](const Error& error) {
    failures.Edit([&](auto& all) { all.push_back(error); });
  };
  const auto consumer = Start(topic, hooks);
  ASSERT_TRUE(failures.Wait([](const auto& all) { return !all.empty(); }));
  EXPECT_NE(failures.Get()[0].message.find(topic + "[0]"), std::string::npos);
  EXPECT_TRUE(store_.Get().seen.empty());
}

TEST_F(FoldConsumerTest, TwoMembersShareWithoutLossOrRepetition) {
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
