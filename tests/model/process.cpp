#include "tests/model/process.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "tests/model/world.h"

namespace tocsin::model {
namespace {

using namespace std::chrono_literals;

constexpr size_t kSenders = 3;
constexpr size_t kLaneRoom = 4;
constexpr size_t kDeskTakers = 2;
constexpr Micros kFetch = 2ms;
constexpr Micros kCommitInterval = 500ms;
constexpr Micros kFirstWait = 50ms;  // of a sender whose neighbour does not answer
constexpr Micros kLongestWait = 1s;
constexpr Micros kRelayAhead = 4s;  // when it fires early
constexpr Micros kLongerHorizon = 1h;
// Of one run. Workers that die again and again before they commit multiply every record in hand:
// such a storm costs much and shows nothing new.
constexpr std::uint64_t kMostKills = 10;
constexpr std::uint64_t kMostStops = 10;

}  // namespace

Process::Process(World& world, size_t number)
    : world_(world),
      number_(number),
      registry_(world.registry),
      log_(world, *this),
      claims_(world, *this),
      carrier_(world, *this),
      relay_clock_(world.timeline, world.bug == Bug::kRelayFiresEarly ? kRelayAhead : 0us),
      history_(world, *this),
      pipeline_(v1::CHANNEL_SMS,
                {world.timeline, registry_, consents_, claims_, claims_, world.vault, carrier_,
                 carrier_, log_, history_, world.topics},
                {.owner = fmt::format("worker-{}", number), .retry = {}}),
      desk_(v1::CHANNEL_SMS, {world.timeline, claims_, log_, history_, world.topics}, {}),
      relay_(relay_clock_, log_, world.topics, Relay::Drive::kByHand) {}

Process::~Process() = default;

void Process::Bury() {
  dying_ = true;
  while (!fibers_.empty()) Run(fibers_.front().get());  // each unwinds from where it stands
  log_.Abandon();
  relay_.Stop();
}

bool Process::Frozen() const { return world_.timeline.Now() < frozen_until_; }

// --- Host ---------------------------------------------------------------------------------------

void Process::Sleep(Micros time) {
  Fiber* const fiber = Fiber::Current();
  do {
    world_.timeline.After(time, [weak = weak_from_this(), fiber] {
      if (const auto self = weak.lock()) self->Run(fiber);
    });
    Fiber::Yield();
    if (dying_) throw Killed{};
    time = frozen_until_ - world_.timeline.Now();
  } while (time > 0us);
}

void Process::MayFail() {
  if (dying_) return;  // on the way out
  const Counts& so_far = world_.books.counts;
  if (so_far.kills < kMostKills && world_.Strikes(world_.faults.crash)) {
    dying_ = true;
    world_.ProcessDied(number_);
    if (Fiber::Current() != nullptr) throw Killed{};
  } else if (so_far.freezes < kMostStops && world_.Strikes(world_.faults.freeze)) {
    const Micros time = world_.dice.Between(1s, 60s);
    frozen_until_ = std::max(frozen_until_, world_.timeline.Now() + time);
    world_.ProcessFroze(number_, time);
    if (Fiber::Current() != nullptr) Sleep(time);
  }
}

void Process::Later(Micros wait, std::function<void()> event) {
  world_.timeline.After(wait, [weak = weak_from_this(), event = std::move(event)]() mutable {
    const auto self = weak.lock();
    if (!self || self->dying_) return;
    if (!self->Frozen()) return event();
    self->Later(self->frozen_until_ - self->world_.timeline.Now(), std::move(event));
  });
}

void Process::Spawn(std::function<void()> body) {
  Fiber* const fiber = fibers_
                           .emplace_back(std::make_unique<Fiber>([run = std::move(body)] {
                             try {
                               run();
                             } catch (const Killed&) {
                             }
                           }))
                           .get();
  world_.timeline.After(0us, [weak = weak_from_this(), fiber] {
    if (const auto self = weak.lock()) self->Run(fiber);
  });
}

void Process::Run(Fiber* fiber) {
  fiber->Resume();
  if (fiber->Ended())
    std::erase_if(fibers_, [fiber](const auto& held) { return held.get() == fiber; });
}

// --- Consumers ----------------------------------------------------------------------------------

void Process::Assign(const Place& place) {
  Assigned& assigned = assigned_[place];
  assigned.since = world_.timeline.Now();
  assigned.next = world_.broker.At(place).committed;
  PlanPoll(place);
}

void Process::Revoke(const Place& place, bool lost) {
  auto left = assigned_.extract(place);
  if (!lost && !dying_) Commit(place, left.mapped());
  left.mapped().progress->Lose();
}

void Process::PlanPoll(const Place& place) {
  Later(kFetch, [this, place] { Poll(place); });
}

void Process::Poll(const Place& place) {
  const auto found = assigned_.find(place);
  if (found == assigned_.end()) return;
  Assigned& assigned = found->second;
  const auto& records = world_.broker.At(place).records;
  while (assigned.next < static_cast<std::int64_t>(records.size())) {
    const IncomingRecord& record = records[static_cast<size_t>(assigned.next)];
    if (assigned.begun != assigned.next)
      assigned.progress->Begin(assigned.next, record.append_time);
    assigned.begun = assigned.next;
    if (!Hand(place, assigned, record)) return;  // asked again when something finishes
    ++assigned.next;
  }
}

bool Process::Hand(const Place& place, Assigned& assigned, const IncomingRecord& record) {
  const std::int64_t offset = record.position.offset();
  const auto done = std::make_shared<kafka::Done>(assigned.progress, offset);
  const bool relayed = world_.topics.TierOf(place.first).has_value();
  const bool early = world_.bug == (relayed ? Bug::kRelayFinishesEarly : Bug::kOffsetStoredEarly);
  const auto finish = [this, done, place, offset, early] {
    world_.books.Finished(place, offset);
    if (!early) (*done)();
    Finished();
  };
  const bool told =
      place.first == world_.topics.Webhooks() || place.first == world_.topics.Events();
  const bool taken = relayed ? HandToRelay(IncomingRecord(record), finish)
                     : told  ? HandToDesk(IncomingRecord(record), finish)
                             : HandToLane(Inherited(record, assigned), finish);
  if (taken && early) {
    (*done)();
    PlanCommit();
  }
  return taken;
}

IncomingRecord Process::Inherited(IncomingRecord record, const Assigned& assigned) {
  record.inherited = record.append_time <= assigned.since;
  return record;
}

bool Process::HandToLane(IncomingRecord&& record, std::function<void()> finish) {
  const auto lane = static_cast<size_t>(std::ranges::find(world_.lanes, record.position.topic()) -
                                        world_.lanes.begin());
  if (lanes_[lane].size() >= kLaneRoom) return false;
  lanes_[lane].push_back({AsTheBugSeesIt(std::move(record)), std::move(finish)});
  Dispatch();
  return true;
}

bool Process::HandToDesk(IncomingRecord&& record, std::function<void()> finish) {
  if (!desk_.Wants(record)) {
    finish();
    return true;
  }
  if (at_desk_ == kDeskTakers) return false;
  ++at_desk_;
  Spawn([this, item = Item{std::move(record), std::move(finish)}] {
    Deliver(item, [this](const IncomingRecord& told) { return desk_.Take(told); });
    --at_desk_;
    Finished();
  });
  return true;
}

bool Process::HandToRelay(IncomingRecord&& record, std::function<void()> finish) {
  if (!relay_.Offer(std::move(record), std::move(finish))) return false;
  PlanDrive(0us);
  return true;
}

void Process::PlanDrive(Micros wait) {
  const WallTime at = world_.timeline.Now() + wait;
  if (drive_at_ && *drive_at_ <= at) return;
  drive_at_ = at;
  Later(wait, [this, at] {
    if (drive_at_ != at) return;  // an earlier one was planned since
    drive_at_.reset();
    DriveRelay();
  });
}

void Process::DriveRelay() {
  const std::optional<Micros> left = relay_.MoveDue();
  if (left)
    PlanDrive(*left);
  else if (relay_.Held() > 0)
    PlanDrive(1s);  // what the log does not take comes back, and is tried again
}

void Process::Finished() {
  PlanCommit();
  if (std::exchange(polls_planned_, true)) return;
  Later(0us, [this] {
    polls_planned_ = false;
    for (const auto& [place, assigned] : assigned_) Poll(place);
    Dispatch();
  });
}

void Process::PlanCommit() {
  if (std::exchange(commit_planned_, true)) return;
  Later(kCommitInterval, [this] {
    commit_planned_ = false;
    MayFail();
    if (dying_) return;
    for (const auto& [place, assigned] : assigned_) Commit(place, assigned);
  });
}

void Process::Commit(const Place& place, const Assigned& assigned) {
  const auto prefix = assigned.progress->Prefix();
  std::int64_t& committed = world_.broker.At(place).committed;
  if (!prefix || *prefix == committed) return;
  world_.books.Committed(place, committed, *prefix);
  committed = *prefix;
}

// --- Senders ------------------------------------------------------------------------------------

void Process::Dispatch() {
  while (busy_ < kSenders) {
    std::array<bool, kLanes> waiting{};
    for (size_t i = 0; i < kLanes; ++i) waiting[i] = !lanes_[i].empty();
    const auto lane = picker_.Pick(waiting, false);
    if (!lane) return;
    ++busy_;
    Spawn([this, item = std::move(lanes_[*lane].front())] {
      Deliver(item, [this](const IncomingRecord& work) { return pipeline_.Deliver(work); });
      --busy_;
      Finished();
    });
    lanes_[*lane].pop_front();
  }
}

void Process::Deliver(const Item& item, const Way& way) {
  Micros wait = kFirstWait;
  while (true) {
    const Result<Passage> passage = way(item.record);
    if (passage) break;
    Sleep(wait);
    wait = std::min(wait * 2, kLongestWait);
  }
  item.finish();
}

IncomingRecord Process::AsTheBugSeesIt(IncomingRecord record) const {
  if (world_.bug != Bug::kIgnoresDueTime && world_.bug != Bug::kIgnoresHorizon) return record;
  v1::WorkRecord work;
  if (!work.ParseFromString(record.value)) return record;
  if (world_.bug == Bug::kIgnoresDueTime) {
    work.clear_due_time_us();
    work.clear_send_at_us();
  } else {
    work.set_not_after_us(work.not_after_us() + kLongerHorizon.count());
  }
  record.value = work.SerializeAsString();
  return record;
}

}  // namespace tocsin::model
