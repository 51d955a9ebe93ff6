// For any records and publish outcomes: nothing is moved early, nothing is reordered within a
// longer tier, nothing is lost. R1, R3, A5
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "common/delivery/delay_queue.h"
#include "common/domain/delivery/due_time.h"
#include "common/ports/delay_tiers.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/manual_scheduler.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin {
namespace {

constexpr int kMaxRounds = 100'000;  // of one run; more means that it does not end
constexpr Micros kMaxDelay = std::chrono::hours(30);

// A log that keeps what is published to delay topics, one partition each, to be read again.
class LoopLog final : public RecordLog {
 public:
  LoopLog(const Clock& clock, const Topics& topics, std::vector<PublishOutcome> faults)
      : clock_(clock), topics_(topics), faults_(faults.begin(), faults.end()) {}

  void Publish(OutgoingRecord record, std::function<void(const PublishReport&)> report) override {
    PublishReport result;
    result.outcome = PublishOutcome::kPersisted;
    if (!faults_.empty()) {
      result.outcome = faults_.front();
      faults_.pop_front();
    }
    if (result.outcome != PublishOutcome::kNotPersisted) Append(std::move(record));
    report(result);
  }

  struct Arrival {
    std::string key;
    std::string value;
    WallTime at;
  };
  std::vector<Arrival> in_lanes;
  std::map<std::string, std::deque<IncomingRecord>> waiting;  // by delay topic

 private:
  void Append(OutgoingRecord record) {
    if (!topics_.TierOf(record.topic)) {
      in_lanes.push_back({record.key, record.value, clock_.Now()});
      return;
    }
    IncomingRecord read;
    read.position.set_topic(record.topic);
    read.position.set_offset(offsets_[record.topic]++);
    read.key = std::move(record.key);
    read.value = std::move(record.value);
    read.headers = std::move(record.headers);
    read.append_time = clock_.Now();
    waiting[record.topic].push_back(std::move(read));
  }

  const Clock& clock_;
  const Topics& topics_;
  std::deque<PublishOutcome> faults_;
  std::map<std::string, std::int64_t> offsets_;
};

// Work records that arrive over time, and a delay queue that is driven until nothing is left.
class World {
 public:
  explicit World(std::vector<PublishOutcome> faults) : log(clock, topics, std::move(faults)) {}

  // Arrives `after` the start, due `delay` later.
  void Add(Micros after, Micros delay, v1::Priority priority) {
    records::v1::WorkRecord work;
    work.mutable_attempt()->set_alert_id(std::to_string(added.size()));
    work.set_channel(v1::CHANNEL_SMS);
    work.set_priority(priority);
    work.set_due_time_us(ToUnixMicros(begin + after + delay));
    added.push_back({begin + after, work});
  }

  void Run() {
    std::stable_sort(added.begin(), added.end(),
                     [](const auto& one, const auto& two) { return one.first < two.first; });
    size_t next = 0;
    for (int round = 0; round < kMaxRounds; ++round) {
      for (; next < added.size() && added[next].first <= clock.Now(); ++next)
        Arrive(added[next].second);
      if (OfferHeads()) continue;
      const std::uint64_t moved = delay_queue.MovedCount();
      scheduler.Run();
      if (delay_queue.MovedCount() != moved) continue;
      std::optional<Micros> wait = scheduler.NextTimer();
      if (next < added.size())
        wait = std::min(wait.value_or(Micros::max()), added[next].first - clock.Now());
      if (!wait) return;
      clock.Advance(*wait);
    }
    RC_FAIL("the delay queue does not come to rest");
  }

  ManualClock clock;
  const WallTime begin = clock.Now();
  const Topics topics;
  LoopLog log;
  ManualScheduler scheduler{clock};
  DelayQueue delay_queue{clock, scheduler, log, topics};
  std::vector<std::pair<WallTime, records::v1::WorkRecord>> added;
  std::map<std::string, std::vector<std::int64_t>>
      finished;  // topic -> offsets in the order they were finished
  size_t offered = 0;

 private:
  // A worker repeats its publish until it succeeds.
  void Arrive(const records::v1::WorkRecord& work) {
    const OutgoingRecord record{.topic = NextTopic(topics, work, clock.Now()),
                                .key = work.attempt().alert_id(),
                                .value = work.SerializeAsString(),
                                .headers = {}};
    bool persisted = false;
    while (!persisted)
      log.Publish(record, [&persisted](const PublishReport& report) {
        persisted = report.outcome == PublishOutcome::kPersisted;
      });
  }

  bool OfferHeads() {
    bool any = false;
    for (auto& [topic, records] : log.waiting) {
      while (!records.empty()) {
        const std::int64_t offset = records.front().position.offset();
        auto& offsets = finished[topic];
        if (!delay_queue.Offer(std::move(records.front()),
                               [&offsets, offset] { offsets.push_back(offset); }))
          break;
        records.pop_front();
        ++offered;
        any = true;
      }
    }
    return any;
  }
};

void AddAny(World& world) {
  const int count = *rc::gen::inRange(0, 10);
  for (int i = 0; i < count; ++i) {
    // Every tier and the edges between them.
    const Micros wait =
        *rc::gen::oneOf(rc::gen::map(rc::gen::inRange<std::int64_t>(0, kMaxDelay.count()),
                                     [](std::int64_t us) { return Micros(us); }),
                        rc::gen::map(rc::gen::inRange<std::int64_t>(0, 200'000'000),
                                     [](std::int64_t us) { return Micros(us); }),
                        rc::gen::element<Micros>(Micros(0), Micros(1), std::chrono::seconds(5),
                                                 std::chrono::minutes(1), std::chrono::minutes(10),
                                                 std::chrono::hours(1), std::chrono::hours(2)));
    world.Add(Micros(*rc::gen::inRange<std::int64_t>(0, 60'000'000)), wait,
              *rc::gen::element(v1::PRIORITY_EMERGENCY, v1::PRIORITY_NORMAL));
  }
}

// Checks what holds in every run. Returns for each key when it first arrived in its lane.
std::map<std::string, WallTime> CheckedArrivals(const World& world) {
  std::map<std::string, std::pair<std::string, WallTime>> expected;
  for (const auto& [from, work] : world.added)
    expected[work.attempt().alert_id()] = {work.SerializeAsString(), DueTime(work)};
  std::map<std::string, WallTime> arrivals;
  for (const LoopLog::Arrival& arrival : world.log.in_lanes) {
    RC_ASSERT(arrival.value == expected.at(arrival.key).first);  // the same bytes
    RC_ASSERT(arrival.at >= expected.at(arrival.key).second);    // not early
    arrivals.emplace(arrival.key, arrival.at);
  }
  RC_ASSERT(arrivals.size() == world.added.size());  // nothing lost
  size_t count = 0;
  for (const auto& [topic, offsets] : world.finished) count += offsets.size();
  RC_ASSERT(count == world.offered);  // each once
  RC_ASSERT(world.delay_queue.HeldCount() == 0U);
  return arrivals;
}

// Longer tiers keep the order of the partition.
void CheckOrder(const World& world) {
  for (const auto& [topic, offsets] : world.finished)
    if (*world.topics.TierOf(topic) >= DelayTier::k1m)
      RC_ASSERT(std::is_sorted(offsets.begin(), offsets.end()));
}

// A failed publish is overtaken only by those in flight with it.
void CheckOvertaking(const World& world) {
  for (const auto& [topic, offsets] : world.finished) {
    if (*world.topics.TierOf(topic) < DelayTier::k1m) continue;
    for (auto one = offsets.begin(); one != offsets.end(); ++one)
      RC_ASSERT(std::count_if(offsets.begin(), one, [&](auto other) { return other > *one; }) <
                static_cast<std::ptrdiff_t>(DelayQueue::kMaxInFlightLonger));
  }
}

TEST(DelayQueuePropertyTest, MovesEveryRecordToItsLaneAtItsDueTimeThroughAnyNumberOfTiers) {
  EXPECT_TRUE(rc::check([] {
    World world({});
    AddAny(world);
    world.Run();
    const auto arrivals = CheckedArrivals(world);
    for (const auto& [from, work] : world.added)
      RC_ASSERT(arrivals.at(work.attempt().alert_id()) == DueTime(work));
    RC_ASSERT(world.log.in_lanes.size() == world.added.size());  // none twice
    CheckOrder(world);
  }));
}

TEST(DelayQueuePropertyTest, LosesNothingAndMovesNothingEarlyWhateverThePublishOutcomes) {
  EXPECT_TRUE(rc::check([] {
    World world(*rc::gen::container<std::vector<PublishOutcome>>(rc::gen::element(
        PublishOutcome::kPersisted, PublishOutcome::kNotPersisted, PublishOutcome::kUnknown)));
    AddAny(world);
    world.Run();
    CheckedArrivals(world);
    CheckOvertaking(world);
  }));
}

TEST(DelayQueuePropertyTest, MovesAfterACrashWhatItHadHeldAndNotMoved) {
  EXPECT_TRUE(rc::check([] {
    ManualClock clock;
    const Topics topics;
    LoopLog log(clock, topics, {});
    std::vector<IncomingRecord> uncommitted;
    const int count = *rc::gen::inRange(1, 8);
    for (int i = 0; i < count; ++i) {
      records::v1::WorkRecord work;
      work.set_channel(v1::CHANNEL_SMS);
      work.set_due_time_us(
          ToUnixMicros(clock.Now() + Micros(*rc::gen::inRange<std::int64_t>(0, 5'000'000))));
      IncomingRecord record;
      record.position.set_topic(topics.Delay(false, DelayTier::k5s));
      record.position.set_offset(i);
      record.key = std::to_string(i);
      record.value = work.SerializeAsString();
      record.append_time = clock.Now();
      uncommitted.push_back(std::move(record));
    }
    std::vector<bool> stored(uncommitted.size(), false);
    const auto offer_all = [&](DelayQueue& delay_queue) {
      for (size_t i = 0; i < uncommitted.size(); ++i)
        if (!stored[i])
          delay_queue.Offer(IncomingRecord(uncommitted[i]), [&stored, i] { stored[i] = true; });
    };
    {
      ManualScheduler scheduler(clock);
      DelayQueue crashing(clock, scheduler, log, topics);
      offer_all(crashing);
      clock.Advance(Micros(*rc::gen::inRange<std::int64_t>(0, 5'000'000)));
      scheduler.Run();
    }
    ManualScheduler scheduler(clock);
    DelayQueue next(clock, scheduler, log, topics);
    offer_all(next);
    clock.Advance(std::chrono::seconds(5));
    scheduler.Run();
    RC_ASSERT(std::all_of(stored.begin(), stored.end(), [](bool one) { return one; }));
    RC_ASSERT(log.in_lanes.size() == uncommitted.size());  // moved records are not moved again
  }));
}

}  // namespace
}  // namespace tocsin
