#include "tests/model/process.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/base/retry_loop.h"
#include "tests/model/simulation.h"

namespace tocsin::model {
namespace {

using namespace std::chrono_literals;

constexpr size_t kSenders = 3;
constexpr size_t kLaneCapacity = 4;
constexpr size_t kCallbackSenders = 2;
constexpr Micros kFetch = 2ms;
constexpr Micros kCommitInterval = 500ms;
constexpr RetryDelays kRetryDelays{50ms, 1s};
constexpr Micros kDelayQueueAhead = 4s;  // with the bug kDelayQueueMovesEarly
constexpr Micros kLaterExpireTime = 1h;
// Per run. Workers that crash again and again before they commit multiply the records in progress:
// that is slow and finds nothing new.
constexpr std::uint64_t kMaxKills = 10;
constexpr std::uint64_t kMaxFreezes = 10;

RetryPolicy RetryPolicyOf(Bug bug) {
  RetryPolicy retry;
  if (bug == Bug::kAbsenceBelievedAtOnce)
    retry.in_doubt.absence_delay = retry.in_doubt.initial_delay;
  return retry;
}

}  // namespace

Process::Process(Simulation& simulation, size_t number)
    : simulation_(simulation),
      number_(number),
      registry_(simulation.registry),
      log_(simulation, *this),
      claims_(simulation, *this),
      provider_(simulation, *this),
      delay_queue_clock_(simulation.timeline,
                         simulation.bug == Bug::kDelayQueueMovesEarly ? kDelayQueueAhead : 0us),
      history_(simulation, *this),
      pipeline_(
          v1::CHANNEL_SMS,
          {simulation.timeline, registry_, consents_, claims_, claims_, simulation.vault, provider_,
           provider_, log_, history_, simulation.topics, probe_},
          {.owner = fmt::format("worker-{}", number), .retry = RetryPolicyOf(simulation.bug)}),
      callback_handler_(v1::CHANNEL_SMS,
                        {simulation.timeline, claims_, log_, history_, simulation.topics}, {}),
      delay_queue_(delay_queue_clock_, log_, simulation.topics, DelayQueue::Drive::kManual) {}

Process::~Process() = default;

void Process::Kill() {
  killed_ = true;
  while (!fibers_.empty()) Run(fibers_.front().get());  // unwinds it
  log_.Abandon();
  delay_queue_.Stop();
}

bool Process::Frozen() const { return simulation_.timeline.Now() < frozen_until_; }

// --- Host ---------------------------------------------------------------------------------------

void Process::Sleep(Micros time) {
  Fiber* const fiber = Fiber::Current();
  do {
    simulation_.timeline.After(time, [weak = weak_from_this(), fiber] {
      if (const auto self = weak.lock()) self->Run(fiber);
    });
    Fiber::Yield();
    if (killed_) throw Killed{};
    time = frozen_until_ - simulation_.timeline.Now();
  } while (time > 0us);
}

void Process::MayFail() {
  if (killed_) return;  // unwinding
  const Counts& so_far = simulation_.checker.counts;
  if (so_far.kills < kMaxKills && simulation_.Occurs(simulation_.faults.crash)) {
    killed_ = true;
    simulation_.OnKilled(number_);
    if (Fiber::Current() != nullptr) throw Killed{};
  } else if (so_far.freezes < kMaxFreezes && simulation_.Occurs(simulation_.faults.freeze)) {
    const Micros time = simulation_.dice.Between(1s, 60s);
    frozen_until_ = std::max(frozen_until_, simulation_.timeline.Now() + time);
    simulation_.OnFrozen(number_, time);
    if (Fiber::Current() != nullptr) Sleep(time);
  }
}

void Process::Later(Micros delay, std::function<void()> event) {
  simulation_.timeline.After(delay, [weak = weak_from_this(), event = std::move(event)]() mutable {
    const auto self = weak.lock();
    if (!self || self->killed_) return;
    if (!self->Frozen()) return event();
    self->Later(self->frozen_until_ - self->simulation_.timeline.Now(), std::move(event));
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
  simulation_.timeline.After(0us, [weak = weak_from_this(), fiber] {
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
  assigned.assign_time = simulation_.timeline.Now();
  assigned.next = simulation_.broker.At(place).committed;
  SchedulePoll(place);
}

void Process::Revoke(const Place& place, bool lost) {
  auto left = assigned_.extract(place);
  if (!lost && !killed_) Commit(place, left.mapped());
  left.mapped().progress->MarkLost();
}

void Process::SchedulePoll(const Place& place) {
  Later(kFetch, [this, place] { Poll(place); });
}

void Process::Poll(const Place& place) {
  const auto found = assigned_.find(place);
  if (found == assigned_.end()) return;
  Assigned& assigned = found->second;
  const auto& records = simulation_.broker.At(place).records;
  while (assigned.next < static_cast<std::int64_t>(records.size())) {
    const IncomingRecord& record = records[static_cast<size_t>(assigned.next)];
    if (assigned.last_begun != assigned.next)
      assigned.progress->Begin(assigned.next, record.append_time);
    assigned.last_begun = assigned.next;
    if (!Offer(place, assigned, record)) return;  // offered again when a record finishes
    ++assigned.next;
  }
}

bool Process::Offer(const Place& place, Assigned& assigned, const IncomingRecord& record) {
  const std::int64_t offset = record.position.offset();
  const auto done = std::make_shared<kafka::Completion>(assigned.progress, offset);
  const bool delayed = simulation_.topics.TierOf(place.first).has_value();
  const bool early =
      simulation_.bug == (delayed ? Bug::kDelayQueueFinishesEarly : Bug::kOffsetStoredEarly);
  const auto finish = [this, done, place, offset, early] {
    simulation_.checker.Finished(place, offset);
    if (!early) (*done)();
    OnFinished();
  };
  const bool event =
      place.first == simulation_.topics.Webhooks() || place.first == simulation_.topics.Events();
  const bool accepted = delayed ? OfferToDelayQueue(IncomingRecord(record), finish)
                        : event ? OfferToCallbackHandler(IncomingRecord(record), finish)
                                : OfferToLane(WithAssignment(record, assigned), finish);
  if (accepted && early) {
    (*done)();
    ScheduleCommit();
  }
  return accepted;
}

IncomingRecord Process::WithAssignment(IncomingRecord record, const Assigned& assigned) {
  record.predates_assignment = record.append_time <= assigned.assign_time;
  return record;
}

bool Process::OfferToLane(IncomingRecord&& record, std::function<void()> finish) {
  const auto lane = static_cast<size_t>(
      std::ranges::find(simulation_.lanes, record.position.topic()) - simulation_.lanes.begin());
  if (lanes_[lane].size() >= kLaneCapacity) return false;
  lanes_[lane].push_back({ApplyTimeBug(std::move(record)), std::move(finish)});
  StartSenders();
  return true;
}

bool Process::OfferToCallbackHandler(IncomingRecord&& record, std::function<void()> finish) {
  if (!callback_handler_.Wants(record)) {
    finish();
    return true;
  }
  if (callbacks_in_progress_ == kCallbackSenders) return false;
  ++callbacks_in_progress_;
  Spawn([this, item = Item{std::move(record), std::move(finish)}] {
    Deliver(item,
            [this](const IncomingRecord& incoming) { return callback_handler_.Handle(incoming); });
    --callbacks_in_progress_;
    OnFinished();
  });
  return true;
}

bool Process::OfferToDelayQueue(IncomingRecord&& record, std::function<void()> finish) {
  if (!delay_queue_.Offer(std::move(record), std::move(finish))) return false;
  ScheduleDrive(0us);
  return true;
}

void Process::ScheduleDrive(Micros delay) {
  const WallTime at = simulation_.timeline.Now() + delay;
  if (drive_at_ && *drive_at_ <= at) return;
  drive_at_ = at;
  Later(delay, [this, at] {
    if (drive_at_ != at) return;  // an earlier one was scheduled since
    drive_at_.reset();
    DriveDelayQueue();
  });
}

void Process::DriveDelayQueue() {
  const std::optional<Micros> left = delay_queue_.MoveDue();
  if (left)
    ScheduleDrive(*left);
  else if (delay_queue_.HeldCount() > 0)
    ScheduleDrive(1s);  // failed publishes are repeated
}

void Process::OnFinished() {
  ScheduleCommit();
  if (std::exchange(polls_scheduled_, true)) return;
  Later(0us, [this] {
    polls_scheduled_ = false;
    for (const auto& [place, assigned] : assigned_) Poll(place);
    StartSenders();
  });
}

void Process::ScheduleCommit() {
  if (std::exchange(commit_scheduled_, true)) return;
  Later(kCommitInterval, [this] {
    commit_scheduled_ = false;
    MayFail();
    if (killed_) return;
    for (const auto& [place, assigned] : assigned_) Commit(place, assigned);
  });
}

void Process::Commit(const Place& place, const Assigned& assigned) {
  const auto offset = assigned.progress->CommitOffset();
  std::int64_t& committed = simulation_.broker.At(place).committed;
  if (!offset || *offset == committed) return;
  simulation_.checker.Committed(place, committed, *offset);
  committed = *offset;
}

// --- Senders ------------------------------------------------------------------------------------

void Process::StartSenders() {
  while (busy_ < kSenders) {
    std::array<bool, kLanes> waiting{};
    for (size_t i = 0; i < kLanes; ++i) waiting[i] = !lanes_[i].empty();
    const auto lane = scheduler_.Pick(waiting, false);
    if (!lane) return;
    ++busy_;
    Spawn([this, item = std::move(lanes_[*lane].front())] {
      Deliver(item, [this](const IncomingRecord& work) { return pipeline_.Deliver(work); });
      --busy_;
      OnFinished();
    });
    lanes_[*lane].pop_front();
  }
}

void Process::Deliver(const Item& item, const DeliverFunction& deliver) {
  const auto sleep = [this](Micros delay) {
    Sleep(delay);
    return true;
  };
  static_cast<void>(RetryLoop(
      kRetryDelays, [&] { return deliver(item.record); }, sleep, [](const Error&) {}));
  item.finish();
}

IncomingRecord Process::ApplyTimeBug(IncomingRecord record) const {
  if (simulation_.bug != Bug::kIgnoresDueTime && simulation_.bug != Bug::kIgnoresExpireTime)
    return record;
  records::v1::WorkRecord work;
  if (!work.ParseFromString(record.value)) return record;
  if (simulation_.bug == Bug::kIgnoresDueTime) {
    work.clear_due_time_us();
    work.clear_send_time_us();
  } else {
    work.set_expire_time_us(work.expire_time_us() + kLaterExpireTime.count());
  }
  record.value = work.SerializeAsString();
  return record;
}

}  // namespace tocsin::model
