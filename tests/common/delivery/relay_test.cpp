#include "common/delivery/relay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <deque>

#include "tests/fakes/manual_clock.h"
#include "tests/fakes/record_log.h"
#include "tocsin/v1/records.pb.h"

namespace tocsin {
namespace {

using std::chrono::milliseconds;
using testing::SizeIs;

// Counts what was finished; waits for a count.
class Finished {
 public:
  std::function<void()> One() {
    return [this] {
      const std::lock_guard lock(mutex_);
      ++count_;
      changed_.notify_all();
    };
  }
  bool WaitFor(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return count_ >= count; });
  }
  int Count() {
    const std::lock_guard lock(mutex_);
    return count_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

class RelayTest : public testing::Test {
 protected:
  IncomingRecord Due(Micros in, const std::string& topic = "tocsin.delay.other.5s") {
    v1::WorkRecord work;
    work.set_channel(v1::CHANNEL_SMS);
    work.set_class_(v1::ALERT_CLASS_HIGH);
    work.set_due_time_us(ToUnixMicros(clock.Now() + in));
    work.mutable_try_()->set_alert_id(std::to_string(in.count()));
    IncomingRecord record;
    record.position.set_topic(topic);
    record.key = work.try_().alert_id();
    record.value = work.SerializeAsString();
    record.headers = {{"traceparent", "t"}};
    record.append_time = clock.Now();
    return record;
  }

  SystemClock clock;
  FakeRecordLog log;
  Topics topics;
  Finished finished;
};

TEST_F(RelayTest, HandsARecordToItsLaneWhenItIsDueAndNotBefore) {  // R3
  Relay relay(clock, log, topics);
  const WallTime due = clock.Now() + milliseconds(60);  // the record's is no earlier
  IncomingRecord record = Due(milliseconds(60));
  const std::string value = record.value;
  ASSERT_TRUE(relay.Offer(std::move(record), finished.One()));
  ASSERT_TRUE(finished.WaitFor(1));
  EXPECT_GE(clock.Now(), due);
  ASSERT_THAT(log.Records(), SizeIs(1));
  EXPECT_EQ(log.Records()[0].topic, "tocsin.sms.high");
  EXPECT_EQ(log.Records()[0].value, value);  // bytes are copied, nothing is opened
  EXPECT_THAT(log.Records()[0].headers, SizeIs(1));
}

TEST_F(RelayTest, LetsALaterRecordOfTheShortestTierLeaveFirstWhenItIsDueFirst) {  // R3
  Relay relay(clock, log, topics);
  ASSERT_TRUE(relay.Offer(Due(milliseconds(150)), finished.One()));
  ASSERT_TRUE(relay.Offer(Due(milliseconds(10)), finished.One()));
  ASSERT_TRUE(finished.WaitFor(2));
  EXPECT_EQ(log.Records()[0].key, "10000");
}

TEST_F(RelayTest, HoldsOnlyTheFirstRecordsOfALongTier) {
  Relay relay(clock, log, topics);
  for (size_t i = 0; i < Relay::kHeldOfLonger; ++i)
    ASSERT_TRUE(relay.Offer(Due(std::chrono::hours(2), "tocsin.delay.other.1h"), finished.One()));
  IncomingRecord second = Due(std::chrono::hours(2), "tocsin.delay.other.1h");
  EXPECT_FALSE(relay.Offer(std::move(second), finished.One()));
  EXPECT_FALSE(second.value.empty());  // left as it was, to be offered again
  EXPECT_TRUE(relay.Offer(Due(milliseconds(1)), finished.One()));  // other tiers are not held up
  ASSERT_TRUE(finished.WaitFor(1));
}

// Reports take a while on a real log; of a longer tier some records are under way meanwhile. R3
TEST_F(RelayTest, ACrowdOfALongTierDoesNotWaitForAReportEach) {
  ManualClock time;
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
  Relay relay(time, slow, topics, Relay::Drive::kByHand);
  for (size_t i = 0; i < Relay::kHeldOfLonger; ++i) {
    IncomingRecord record = Due(Micros(0), "tocsin.delay.other.1m");
    record.append_time = time.Now() - std::chrono::hours(1);
    ASSERT_TRUE(relay.Offer(std::move(record), finished.One()));
  }
  size_t rounds = 0;
  for (; finished.Count() < static_cast<int>(Relay::kHeldOfLonger); ++rounds) {
    relay.MoveDue();
    EXPECT_LE(reports.size(), Relay::kUnderWayOfLonger);
    for (auto& report : std::exchange(reports, {})) report();
  }
  EXPECT_EQ(rounds, Relay::kHeldOfLonger / Relay::kUnderWayOfLonger);
}

// A consumer offers what was refused every 25 ms; ten thousand records wait for one moment.
TEST_F(RelayTest, LetsACrowdThatWaitsForOneMomentLeaveWithinTwoSeconds) {  // A5, R3
  constexpr int kPartitions = 3;
  constexpr int kCrowd = 10'000;
  ManualClock time;
  Relay relay(time, log, topics, Relay::Drive::kByHand);
  const WallTime due = time.Now() + std::chrono::seconds(61);
  std::array<std::deque<IncomingRecord>, kPartitions> partitions;
  for (int i = 0; i < kCrowd; ++i) {
    IncomingRecord record = Due(Micros(0), "tocsin.delay.other.1m");
    v1::WorkRecord work;
    work.ParseFromString(record.value);
    work.set_due_time_us(ToUnixMicros(due));
    record.value = work.SerializeAsString();
    record.append_time = time.Now();
    record.position.set_partition(i % kPartitions);
    partitions[static_cast<size_t>(i % kPartitions)].push_back(std::move(record));
  }
  while (time.Now() < due) {
    for (auto& partition : partitions)
      while (!partition.empty() && relay.Offer(std::move(partition.front()), finished.One()))
        partition.pop_front();
    relay.MoveDue();
    time.Advance(milliseconds(25));
  }
  EXPECT_EQ(finished.Count(), kCrowd);  // all in the tier that holds the last second
  const std::vector<OutgoingRecord> moved = log.Records();
  EXPECT_TRUE(std::ranges::all_of(
      moved, [](const OutgoingRecord& record) { return record.topic == "tocsin.delay.other.5s"; }));
}

TEST_F(RelayTest, PassesALongWaitOnToTheTierThatFitsTheRest) {  // R3
  Relay relay(clock, log, topics);
  IncomingRecord record = Due(std::chrono::minutes(5), "tocsin.delay.other.1m");
  record.append_time = clock.Now() - std::chrono::minutes(1);  // its residence is over
  ASSERT_TRUE(relay.Offer(std::move(record), finished.One()));
  ASSERT_TRUE(finished.WaitFor(1));
  EXPECT_EQ(log.Records()[0].topic, "tocsin.delay.other.1m");
}

TEST_F(RelayTest, KeepsARecordWhileTheLogDoesNotTakeIt) {  // R1
  log.EndWith(PublishOutcome::kNotPersisted);
  Relay relay(clock, log, topics);
  ASSERT_TRUE(relay.Offer(Due(milliseconds(0)), finished.One()));
  IncomingRecord other = Due(milliseconds(0));
  ASSERT_TRUE(relay.Offer(std::move(other), finished.One()));
  EXPECT_EQ(finished.Count(), 0);
  log.EndWith(PublishOutcome::kPersisted);
  EXPECT_TRUE(finished.WaitFor(2));
  EXPECT_THAT(log.Records(), SizeIs(2));
}

TEST_F(RelayTest, LeavesUnfinishedWhatItHoldsWhenItEnds) {  // O8
  {
    Relay relay(clock, log, topics);
    ASSERT_TRUE(relay.Offer(Due(std::chrono::seconds(4)), finished.One()));
  }
  EXPECT_EQ(finished.Count(), 0);  // its offset is not stored: it is read again
}

TEST_F(RelayTest, CountsWhatIsNoWorkAndPassesItOver) {
  Relay relay(clock, log, topics);
  IncomingRecord record = Due(milliseconds(0));
  record.value = "\xff garbage";
  EXPECT_TRUE(relay.Offer(std::move(record), finished.One()));
  EXPECT_EQ(relay.Dropped(), 1u);
  EXPECT_EQ(finished.Count(), 1);
}

}  // namespace
}  // namespace tocsin
