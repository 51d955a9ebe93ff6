#include "common/delivery/delay_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <utility>
#include <vector>

#include "tests/fakes/manual_clock.h"
#include "tests/fakes/manual_scheduler.h"
#include "tests/fakes/record_log.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin {
namespace {

using std::chrono::milliseconds;
using testing::SizeIs;

class DelayQueueTest : public testing::Test {
 protected:
  IncomingRecord Due(Micros in, const std::string& topic = "tocsin.delay.other.5s") {
    records::v1::WorkRecord work;
    work.set_channel(v1::CHANNEL_SMS);
    work.set_priority(v1::PRIORITY_HIGH);
    work.set_due_time_us(ToUnixMicros(clock.Now() + in));
    work.mutable_attempt()->set_alert_id(std::to_string(in.count()));
    IncomingRecord record;
    record.position.set_topic(topic);
    record.key = work.attempt().alert_id();
    record.value = work.SerializeAsString();
    record.headers = {{"traceparent", "t"}};
    record.append_time = clock.Now();
    return record;
  }

  // Counts finished records.
  std::function<void()> Count() {
    return [this] { ++finished; };
  }
  // Lets time pass until `count` records are finished.
  void RunUntilFinished(int count) {
    scheduler.Run();
    while (finished < count && scheduler.RunNext()) {
    }
  }

  ManualClock clock;
  ManualScheduler scheduler{clock};
  FakeRecordLog log;
  Topics topics;
  int finished = 0;
  DelayQueue delay_queue{clock, scheduler, log, topics};
};

TEST_F(DelayQueueTest, MovesARecordToItsLaneWhenItIsDueAndNotBefore) {  // R3
  const WallTime due = clock.Now() + milliseconds(60);
  IncomingRecord record = Due(milliseconds(60));
  const std::string value = record.value;
  ASSERT_TRUE(delay_queue.Offer(std::move(record), Count()));
  RunUntilFinished(1);
  ASSERT_EQ(finished, 1);
  EXPECT_EQ(clock.Now(), due);
  ASSERT_THAT(log.Records(), SizeIs(1));
  EXPECT_EQ(log.Records()[0].topic, "tocsin.sms.high");
  EXPECT_EQ(log.Records()[0].value, value);  // the same bytes
  EXPECT_THAT(log.Records()[0].headers, SizeIs(1));
}

TEST_F(DelayQueueTest, MovesRecordsOfTheShortestTierInTheOrderOfTheirDueTimes) {  // R3
  ASSERT_TRUE(delay_queue.Offer(Due(milliseconds(150)), Count()));
  ASSERT_TRUE(delay_queue.Offer(Due(milliseconds(10)), Count()));
  RunUntilFinished(2);
  ASSERT_EQ(finished, 2);
  EXPECT_EQ(log.Records()[0].key, "10000");
}

TEST_F(DelayQueueTest, HoldsALimitedNumberOfRecordsOfALongerTier) {
  for (size_t i = 0; i < DelayQueue::kMaxHeldLonger; ++i)
    ASSERT_TRUE(delay_queue.Offer(Due(std::chrono::hours(2), "tocsin.delay.other.1h"), Count()));
  IncomingRecord second = Due(std::chrono::hours(2), "tocsin.delay.other.1h");
  EXPECT_FALSE(delay_queue.Offer(std::move(second), Count()));
  EXPECT_FALSE(second.value.empty());                             // unchanged, to be offered again
  EXPECT_TRUE(delay_queue.Offer(Due(milliseconds(1)), Count()));  // other tiers are not affected
  RunUntilFinished(1);
  ASSERT_EQ(finished, 1);
}

// Publish reports take time; several records of a longer tier are in flight meanwhile. R3
TEST_F(DelayQueueTest, MovesManyRecordsOfALongerTierWithoutWaitingForEachReport) {
  std::vector<std::function<void()>> reports;
  class SlowLog final : public RecordLog {
   public:
    explicit SlowLog(std::vector<std::function<void()>>& reports) : reports_(reports) {}
    void Publish(OutgoingRecord, std::function<void(const PublishReport&)> report) override {
      reports_.emplace_back([report] { report({PublishOutcome::kPersisted, {}, {}}); });
    }

   private:
    std::vector<std::function<void()>>& reports_;
  } slow(reports);
  DelayQueue slow_queue(clock, scheduler, slow, topics);
  for (size_t i = 0; i < DelayQueue::kMaxHeldLonger; ++i) {
    IncomingRecord record = Due(Micros(0), "tocsin.delay.other.1m");
    record.append_time = clock.Now() - std::chrono::hours(1);
    ASSERT_TRUE(slow_queue.Offer(std::move(record), Count()));
  }
  size_t rounds = 0;
  for (; finished < static_cast<int>(DelayQueue::kMaxHeldLonger); ++rounds) {
    scheduler.Run();
    EXPECT_LE(reports.size(), DelayQueue::kMaxInFlightLonger);
    for (auto& report : std::exchange(reports, {})) report();
  }
  EXPECT_EQ(rounds, DelayQueue::kMaxHeldLonger / DelayQueue::kMaxInFlightLonger);
}

// A consumer offers refused records every 25 ms; ten thousand records are due at the same time.
TEST_F(DelayQueueTest, MovesManyRecordsDueAtTheSameTimeWithinTwoSeconds) {  // A5, R3
  constexpr int kPartitions = 3;
  constexpr int kRecords = 10'000;
  const WallTime due = clock.Now() + std::chrono::seconds(61);
  std::array<std::deque<IncomingRecord>, kPartitions> partitions;
  for (int i = 0; i < kRecords; ++i) {
    IncomingRecord record = Due(Micros(0), "tocsin.delay.other.1m");
    records::v1::WorkRecord work;
    work.ParseFromString(record.value);
    work.set_due_time_us(ToUnixMicros(due));
    record.value = work.SerializeAsString();
    record.append_time = clock.Now();
    record.position.set_partition(i % kPartitions);
    partitions[static_cast<size_t>(i % kPartitions)].push_back(std::move(record));
  }
  while (clock.Now() < due) {
    for (auto& partition : partitions)
      while (!partition.empty() && delay_queue.Offer(std::move(partition.front()), Count()))
        partition.pop_front();
    scheduler.Run();
    clock.Advance(milliseconds(25));
  }
  EXPECT_EQ(finished, kRecords);  // all are in the 5 s tier
  const std::vector<OutgoingRecord> moved = log.Records();
  EXPECT_TRUE(std::ranges::all_of(
      moved, [](const OutgoingRecord& record) { return record.topic == "tocsin.delay.other.5s"; }));
}

TEST_F(DelayQueueTest, MovesALongDelayToTheTierThatFitsTheRest) {  // R3
  IncomingRecord record = Due(std::chrono::minutes(5), "tocsin.delay.other.1m");
  record.append_time = clock.Now() - std::chrono::minutes(1);  // its time in the tier is over
  ASSERT_TRUE(delay_queue.Offer(std::move(record), Count()));
  RunUntilFinished(1);
  ASSERT_EQ(finished, 1);
  EXPECT_EQ(log.Records()[0].topic, "tocsin.delay.other.1m");
}

TEST_F(DelayQueueTest, KeepsARecordWhilePublishesFail) {  // R1
  log.SetOutcome(PublishOutcome::kNotPersisted);
  ASSERT_TRUE(delay_queue.Offer(Due(milliseconds(0)), Count()));
  ASSERT_TRUE(delay_queue.Offer(Due(milliseconds(0)), Count()));
  scheduler.RunNext();
  EXPECT_EQ(finished, 0);
  log.SetOutcome(PublishOutcome::kPersisted);
  RunUntilFinished(2);
  EXPECT_EQ(finished, 2);
  EXPECT_THAT(log.Records(), SizeIs(2));
}

TEST_F(DelayQueueTest, LeavesHeldRecordsUnfinishedWhenItStops) {  // O8
  ASSERT_TRUE(delay_queue.Offer(Due(std::chrono::seconds(4)), Count()));
  scheduler.Run();
  delay_queue.Stop();
  EXPECT_FALSE(delay_queue.Offer(Due(milliseconds(0)), Count()));
  clock.Advance(std::chrono::seconds(5));
  scheduler.Run();
  EXPECT_EQ(finished, 0);  // its offset is not stored: it is read again
  EXPECT_THAT(log.Records(), SizeIs(0));
}

TEST_F(DelayQueueTest, DropsAndCountsUnparsableRecords) {
  IncomingRecord record = Due(milliseconds(0));
  record.value = "\xff garbage";
  EXPECT_TRUE(delay_queue.Offer(std::move(record), Count()));
  EXPECT_EQ(delay_queue.DroppedCount(), 1u);
  EXPECT_EQ(finished, 1);
}

}  // namespace
}  // namespace tocsin
