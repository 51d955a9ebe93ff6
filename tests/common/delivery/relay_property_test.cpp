// Whatever waits, and whatever the log does: nothing fires early, nothing overtakes in its tier,
// nothing is lost. R1, R3, A5.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "common/delivery/relay.h"
#include "common/domain/waiting.h"
#include "tests/fakes/manual_clock.h"
#include "tocsin/v1/records.pb.h"

namespace tocsin {
namespace {

constexpr int kMostRounds = 100'000;  // of one world; more means that it does not come to an end
constexpr Micros kLongestWait = std::chrono::hours(30);

// A log whose delay topics are read again in their order, as one partition each.
class LoopLog final : public RecordLog {
 public:
  LoopLog(const Clock& clock, const Topics& topics, std::vector<PublishOutcome> faults)
      : clock_(clock), topics_(topics), faults_(faults.begin(), faults.end()) {}

  void Publish(OutgoingRecord record, std::function<void(const PublishReport&)> report) override {
    PublishReport said;
    said.outcome = PublishOutcome::kPersisted;
    if (!faults_.empty()) {
      said.outcome = faults_.front();
      faults_.pop_front();
    }
    if (said.outcome != PublishOutcome::kNotPersisted) Append(std::move(record));
    report(said);
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

// Work that comes to the relay at its time, and the relay driven by hand until nothing waits.
class World {
 public:
  explicit World(std::vector<PublishOutcome> faults) : log(clock, topics, std::move(faults)) {}

  // Comes `after` the begin, due `wait` later.
  void Bring(Micros after, Micros wait, v1::AlertClass alert_class) {
    v1::WorkRecord work;
    work.mutable_try_()->set_alert_id(std::to_string(brought.size()));
    work.set_channel(v1::CHANNEL_SMS);
    work.set_class_(alert_class);
    work.set_due_time_us(ToUnixMicros(begin + after + wait));
    brought.push_back({begin + after, work});
  }

  void Run() {
    std::stable_sort(brought.begin(), brought.end(),
                     [](const auto& one, const auto& two) { return one.first < two.first; });
    size_t next = 0;
    for (int round = 0; round < kMostRounds; ++round) {
      for (; next < brought.size() && brought[next].first <= clock.Now(); ++next)
        Begin(brought[next].second);
      if (OfferHeads()) continue;
      const std::uint64_t moved = relay.Moved();
      std::optional<Micros> wait = relay.MoveDue();
      if (relay.Moved() != moved) continue;
      if (next < brought.size())
        wait = std::min(wait.value_or(Micros::max()), brought[next].first - clock.Now());
      if (!wait) return;
      clock.Advance(*wait);
    }
    RC_FAIL("the relay does not come to rest");
  }

  ManualClock clock;
  const WallTime begin = clock.Now();
  const Topics topics;
  LoopLog log;
  Relay relay{clock, log, topics, Relay::Drive::kByHand};
  std::vector<std::pair<WallTime, v1::WorkRecord>> brought;
  std::map<std::string, std::vector<std::int64_t>> left;  // topic -> offsets, as they were finished
  size_t offered = 0;

 private:
  // A worker's publish has no fault here: it is repeated until it has none.
  void Begin(const v1::WorkRecord& work) {
    const OutgoingRecord record{.topic = NextStop(topics, work, clock.Now()),
                                .key = work.try_().alert_id(),
                                .value = work.SerializeAsString(),
                                .headers = {}};
    bool taken = false;
    while (!taken)
      log.Publish(record, [&taken](const PublishReport& report) {
        taken = report.outcome == PublishOutcome::kPersisted;
      });
  }

  bool OfferHeads() {
    bool any = false;
    for (auto& [topic, records] : log.waiting) {
      while (!records.empty()) {
        const std::int64_t offset = records.front().position.offset();
        auto& finished = left[topic];
        if (!relay.Offer(std::move(records.front()),
                         [&finished, offset] { finished.push_back(offset); }))
          break;
        records.pop_front();
        ++offered;
        any = true;
      }
    }
    return any;
  }
};

void BringAny(World& world) {
  const int count = *rc::gen::inRange(0, 10);
  for (int i = 0; i < count; ++i) {
    // Seconds and hours alike: every tier, and the edges between them.
    const Micros wait =
        *rc::gen::oneOf(rc::gen::map(rc::gen::inRange<std::int64_t>(0, kLongestWait.count()),
                                     [](std::int64_t us) { return Micros(us); }),
                        rc::gen::map(rc::gen::inRange<std::int64_t>(0, 200'000'000),
                                     [](std::int64_t us) { return Micros(us); }),
                        rc::gen::element<Micros>(Micros(0), Micros(1), std::chrono::seconds(5),
                                                 std::chrono::minutes(1), std::chrono::minutes(10),
                                                 std::chrono::hours(1), std::chrono::hours(2)));
    world.Bring(Micros(*rc::gen::inRange<std::int64_t>(0, 60'000'000)), wait,
                *rc::gen::element(v1::ALERT_CLASS_EMERGENCY, v1::ALERT_CLASS_NORMAL));
  }
}

// What holds in every world; gives for each key when it was in its lane first.
std::map<std::string, WallTime> CheckedArrivals(const World& world) {
  std::map<std::string, std::pair<std::string, WallTime>> wanted;
  for (const auto& [from, work] : world.brought)
    wanted[work.try_().alert_id()] = {work.SerializeAsString(), DueTime(work)};
  std::map<std::string, WallTime> arrivals;
  for (const LoopLog::Arrival& arrival : world.log.in_lanes) {
    RC_ASSERT(arrival.value == wanted.at(arrival.key).first);  // bytes are copied
    RC_ASSERT(arrival.at >= wanted.at(arrival.key).second);    // nothing early
    arrivals.emplace(arrival.key, arrival.at);
  }
  RC_ASSERT(arrivals.size() == world.brought.size());  // nothing lost
  size_t finished = 0;
  for (const auto& [topic, offsets] : world.left) finished += offsets.size();
  RC_ASSERT(finished == world.offered);  // each once
  RC_ASSERT(world.relay.Held() == 0U);
  return arrivals;
}

// Tiers where all wait equally long.
void CheckOrder(const World& world) {
  for (const auto& [topic, offsets] : world.left)
    if (*world.topics.TierOf(topic) >= DelayTier::k1m)
      RC_ASSERT(std::is_sorted(offsets.begin(), offsets.end()));
}

// What the log refused is overtaken only by what was under way with it.
void CheckOvertaking(const World& world) {
  for (const auto& [topic, offsets] : world.left) {
    if (*world.topics.TierOf(topic) < DelayTier::k1m) continue;
    for (auto one = offsets.begin(); one != offsets.end(); ++one)
      RC_ASSERT(std::count_if(offsets.begin(), one, [&](auto other) { return other > *one; }) <
                static_cast<std::ptrdiff_t>(Relay::kUnderWayOfLonger));
  }
}

TEST(RelayPropertyTest, BringsEveryRecordToItsLaneAtItsVeryTimeThroughAnyNumberOfTiers) {
  EXPECT_TRUE(rc::check([] {
    World world({});
    BringAny(world);
    world.Run();
    const auto arrivals = CheckedArrivals(world);
    for (const auto& [from, work] : world.brought)
      RC_ASSERT(arrivals.at(work.try_().alert_id()) == DueTime(work));
    RC_ASSERT(world.log.in_lanes.size() == world.brought.size());  // none twice
    CheckOrder(world);
  }));
}

TEST(RelayPropertyTest, LosesNothingAndFiresNothingEarlyWhateverTheLogAnswers) {
  EXPECT_TRUE(rc::check([] {
    World world(*rc::gen::container<std::vector<PublishOutcome>>(rc::gen::element(
        PublishOutcome::kPersisted, PublishOutcome::kNotPersisted, PublishOutcome::kUnknown)));
    BringAny(world);
    world.Run();
    CheckedArrivals(world);
    CheckOvertaking(world);
  }));
}

TEST(RelayPropertyTest, TakesUpAfterACrashWhatItHeldAndHadNotHandedOn) {
  EXPECT_TRUE(rc::check([] {
    ManualClock clock;
    const Topics topics;
    LoopLog log(clock, topics, {});
    std::vector<IncomingRecord> uncommitted;
    const int count = *rc::gen::inRange(1, 8);
    for (int i = 0; i < count; ++i) {
      v1::WorkRecord work;
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
    const auto offer_all = [&](Relay& relay) {
      for (size_t i = 0; i < uncommitted.size(); ++i)
        if (!stored[i])
          relay.Offer(IncomingRecord(uncommitted[i]), [&stored, i] { stored[i] = true; });
    };
    {
      Relay crashes(clock, log, topics, Relay::Drive::kByHand);
      offer_all(crashes);
      clock.Advance(Micros(*rc::gen::inRange<std::int64_t>(0, 5'000'000)));
      crashes.MoveDue();
    }
    Relay next(clock, log, topics, Relay::Drive::kByHand);
    offer_all(next);
    clock.Advance(std::chrono::seconds(5));
    next.MoveDue();
    RC_ASSERT(std::all_of(stored.begin(), stored.end(), [](bool one) { return one; }));
    RC_ASSERT(log.in_lanes.size() == uncommitted.size());  // what was handed on is not repeated
  }));
}

}  // namespace
}  // namespace tocsin
