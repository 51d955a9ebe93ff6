#include "tests/model/process.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "tests/model/simulation.h"

namespace tocsin::model {
namespace {

using namespace std::chrono_literals;

constexpr DeliveryPoolSettings kPool{.senders = 6, .reserved = 1, .lane_capacity = 4};
constexpr DeliveryPoolSettings kCallbackPool{.senders = 3, .reserved = 0, .lane_capacity = 2};
constexpr Micros kFetch = 2ms;
constexpr Micros kWatchAfterFaults = 60s;
constexpr Micros kCommitInterval = 500ms;
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
      log_(simulation, *this, /*with_bugs=*/true),
      delay_queue_log_(simulation, *this, /*with_bugs=*/false),
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
      delay_queue_(delay_queue_clock_, *this, delay_queue_log_, simulation.topics),
      pool_([this](const IncomingRecord& record) { return pipeline_.Deliver(record); }, kPool,
            *this, probe_),
      callback_pool_(
          [this](const IncomingRecord& record) { return callback_handler_.Handle(record); },
          kCallbackPool, *this, probe_) {}

void Process::Start() { tasks_.Start(pipeline_.WatchStore(watch_scheduler_)); }

void Process::WatchScheduler::After(Micros delay, std::function<void()> event) {
  const Simulation& simulation = process_.simulation_;
  if (simulation.timeline.Now() < simulation.faults_until + kWatchAfterFaults)
    process_.After(delay, std::move(event));
}

Process::~Process() = default;

bool Process::Frozen() const { return simulation_.timeline.Now() < frozen_until_; }

// --- Host ---------------------------------------------------------------------------------------

Task<void> Process::Sleep(Micros time) {
  const auto start = [&](const Callback<bool>& done) { Later(time, [done] { done(true); }); };
  co_await AwaitCallback<bool>(start);
}

Task<void> Process::MayFail() {
  if (Crashes() || Frozen()) co_await Sleep(0us);
}

bool Process::Crashes() {
  const Counts& so_far = simulation_.checker.counts;
  if (crashed_) return true;
  if (so_far.kills < kMaxKills && simulation_.Occurs(simulation_.faults.crash)) {
    crashed_ = true;
    simulation_.OnKilled(number_);
  } else if (so_far.freezes < kMaxFreezes && simulation_.Occurs(simulation_.faults.freeze)) {
    const Micros time = simulation_.dice.Between(1s, 60s);
    frozen_until_ = std::max(frozen_until_, simulation_.timeline.Now() + time);
    simulation_.OnFrozen(number_, time);
  }
  return crashed_;
}

void Process::Later(Micros delay, std::function<void()> event) {
  simulation_.timeline.After(delay, [weak = weak_from_this(), event = std::move(event)]() mutable {
    const auto self = weak.lock();
    if (!self || self->crashed_) return;
    if (!self->Frozen()) return event();
    self->Later(self->frozen_until_ - self->simulation_.timeline.Now(), std::move(event));
  });
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
  if (!lost && !crashed_) Commit(place, left.mapped());
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
  const bool accepted = delayed ? delay_queue_.Offer(IncomingRecord(record), finish)
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
  return pool_.Offer(lane, ApplyTimeBug(std::move(record)), std::move(finish));
}

bool Process::OfferToCallbackHandler(IncomingRecord&& record, std::function<void()> finish) {
  if (callback_handler_.Wants(record))
    return callback_pool_.Offer(0, std::move(record), std::move(finish));
  finish();
  return true;
}

void Process::OnFinished() {
  ScheduleCommit();
  if (std::exchange(polls_scheduled_, true)) return;
  Later(0us, [this] {
    polls_scheduled_ = false;
    for (const auto& [place, assigned] : assigned_) Poll(place);
  });
}

void Process::ScheduleCommit() {
  if (std::exchange(commit_scheduled_, true)) return;
  Later(kCommitInterval, [this] {
    commit_scheduled_ = false;
    if (Crashes()) return;
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
