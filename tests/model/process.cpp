#include "tests/model/process.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "tests/model/simulation.h"

namespace tocsin::model {
namespace {

using namespace std::chrono_literals;

constexpr PostLimits kPosts{.posts = 4, .reserved = 1};
constexpr DeliveryPoolSettings kPool{.deliveries = 8, .reserved = 1, .lane_capacity = 4};
constexpr DeliveryPoolSettings kCallbackPool{.deliveries = 8, .reserved = 0, .lane_capacity = 2};
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

Process::Worker::Worker(Process& process, v1::Channel its_channel)
    : channel(its_channel),
      lanes(process.simulation_.topics.Lanes(channel)),
      provider(process.simulation_, process, channel),
      unanswered_calls(
          {process.simulation_.timeline, process.registry_, process.claims_, provider}),
      limiter(process.simulation_.timeline, process, kPosts),
      pipeline(
          channel,
          {process.simulation_.timeline, process.registry_, process.consents_, process.claims_,
           process.claims_, process.simulation_.vault, limiter, provider, provider, process.log_,
           process.history_, process.simulation_.topics, process.probe_, CallsToEnd()},
          {.owner = fmt::format("worker-{}", process.number_),
           .retry = RetryPolicyOf(process.simulation_.bug)}),
      callback_handler(channel,
                       {process.simulation_.timeline, process.claims_, process.log_,
                        process.history_, process.simulation_.topics, CallsToEnd()},
                       {}),
      pool([this](const IncomingRecord& record) { return pipeline.Deliver(record); }, kPool,
           process, process.probe_),
      callback_pool(
          [this](const IncomingRecord& record) { return callback_handler.Handle(record); },
          kCallbackPool, process, process.probe_) {}

Process::Process(Simulation& simulation, size_t number)
    : simulation_(simulation),
      number_(number),
      registry_(simulation.registry),
      log_(simulation, *this, LogPort::Publisher::kPipeline),
      delay_queue_log_(simulation, *this, LogPort::Publisher::kDelayQueue),
      claims_(simulation, *this),
      delay_queue_clock_(simulation.timeline,
                         simulation.bug == Bug::kDelayQueueMovesEarly ? kDelayQueueAhead : 0us),
      history_(simulation, *this),
      delay_queue_(delay_queue_clock_, *this, delay_queue_log_, simulation.topics) {
  for (const v1::Channel channel : simulation.channels)
    workers_.push_back(std::make_unique<Worker>(*this, channel));
  for (std::int32_t i = 0; i < Broker::kPartitions; ++i)  // completely, before anything is sent
    for (const IncomingRecord& record :
         simulation.broker.At({simulation.topics.Consents(), i}).records)
      ReadConsent(record);
}

void Process::Start() {
  for (const auto& worker : workers_) tasks_.Start(worker->pipeline.WatchStore(watch_scheduler_));
}

void Process::ReadConsent(const IncomingRecord& record) {
  records::v1::ConsentRecord consent;
  if (consent.ParseFromString(record.value)) consents_.Apply(consent);
}

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

void Process::Assign(Subscription& subscription) {
  Assigned& assigned = assigned_[subscription.number];
  assigned.subscription = &subscription;
  assigned.assign_time = simulation_.timeline.Now();
  assigned.next = subscription.committed;
  SchedulePoll(subscription);
}

void Process::Revoke(const Subscription& subscription, bool lost) {
  auto left = assigned_.extract(subscription.number);
  if (!lost && !crashed_) Commit(left.mapped());
  left.mapped().progress->MarkLost();
}

void Process::SchedulePoll(const Subscription& subscription) {
  Later(kFetch, [this, number = subscription.number] {
    if (const auto found = assigned_.find(number); found != assigned_.end()) Poll(found->second);
  });
}

void Process::Poll(Assigned& assigned) {
  const auto& records = assigned.subscription->partition.records;
  while (assigned.next < static_cast<std::int64_t>(records.size())) {
    const IncomingRecord& record = records[static_cast<size_t>(assigned.next)];
    if (assigned.last_begun != assigned.next)
      assigned.progress->Begin(assigned.next, record.append_time);
    assigned.last_begun = assigned.next;
    if (!Offer(assigned, record)) return;  // offered again when a record finishes
    ++assigned.next;
  }
}

bool Process::Offer(Assigned& assigned, const IncomingRecord& record) {
  const Subscription& subscription = *assigned.subscription;
  const std::int64_t offset = record.position.offset();
  const std::string& topic = subscription.place.first;
  const auto done = std::make_shared<kafka::Completion>(assigned.progress, offset);
  const bool delayed = subscription.group == v1::CHANNEL_UNSPECIFIED;
  const bool early =
      simulation_.bug == (delayed ? Bug::kDelayQueueFinishesEarly : Bug::kOffsetStoredEarly);
  const auto finish = [this, done, &subscription, offset, early] {
    simulation_.checker.Finished(subscription, offset);
    if (!early) (*done)();
    OnFinished();
  };
  const bool event = topic == simulation_.topics.Webhooks() || topic == simulation_.topics.Events();
  const bool accepted =
      delayed ? delay_queue_.Offer(IncomingRecord(record), finish)
      : event ? OfferToCallbackHandler(WorkerOf(subscription.group), IncomingRecord(record), finish)
              : OfferToLane(WorkerOf(subscription.group), WithAssignment(record, assigned), finish);
  if (accepted && early) {
    (*done)();
    ScheduleCommit();
  }
  return accepted;
}

Process::Worker& Process::WorkerOf(v1::Channel channel) const {
  return **std::ranges::find(workers_, channel, [](const auto& worker) { return worker->channel; });
}

IncomingRecord Process::WithAssignment(IncomingRecord record, const Assigned& assigned) {
  record.predates_assignment = record.append_time <= assigned.assign_time;
  return record;
}

bool Process::OfferToLane(Worker& worker, IncomingRecord&& record,
                          std::function<void()> finish) const {
  const auto lane = static_cast<size_t>(std::ranges::find(worker.lanes, record.position.topic()) -
                                        worker.lanes.begin());
  return worker.pool.Offer(lane, ApplyTimeBug(std::move(record)), std::move(finish));
}

bool Process::OfferToCallbackHandler(Worker& worker, IncomingRecord&& record,
                                     std::function<void()> finish) {
  if (worker.callback_handler.Wants(record))
    return worker.callback_pool.Offer(0, std::move(record), std::move(finish));
  finish();
  return true;
}

void Process::OnFinished() {
  ScheduleCommit();
  if (std::exchange(polls_scheduled_, true)) return;
  Later(0us, [this] {
    polls_scheduled_ = false;
    for (auto& [number, assigned] : assigned_) Poll(assigned);
  });
}

void Process::ScheduleCommit() {
  if (std::exchange(commit_scheduled_, true)) return;
  Later(kCommitInterval, [this] {
    commit_scheduled_ = false;
    if (Crashes()) return;
    for (const auto& [number, assigned] : assigned_) Commit(assigned);
  });
}

void Process::Commit(const Assigned& assigned) {
  const auto offset = assigned.progress->CommitOffset();
  std::int64_t& committed = assigned.subscription->committed;
  if (!offset || *offset == committed) return;
  simulation_.checker.Committed(*assigned.subscription, committed, *offset);
  committed = *offset;
}

IncomingRecord Process::ApplyTimeBug(IncomingRecord record) const {
  if (simulation_.bug != Bug::kIgnoresDueTime && simulation_.bug != Bug::kIgnoresExpireTime &&
      simulation_.bug != Bug::kDeadlineIgnored)
    return record;
  records::v1::WorkRecord work;
  if (!work.ParseFromString(record.value)) return record;
  if (simulation_.bug == Bug::kDeadlineIgnored) {
    if (work.kind() != records::v1::WORK_KIND_ATTEMPT || !work.has_plan()) return record;
    records::v1::Goal& goal = *work.mutable_plan()->mutable_goal();
    if (goal.deadline_us() != 0)
      goal.set_deadline_us(goal.deadline_us() + kLaterExpireTime.count());
  } else if (simulation_.bug == Bug::kIgnoresDueTime) {
    work.clear_due_time_us();
    work.clear_send_time_us();
  } else {
    work.set_expire_time_us(work.expire_time_us() + kLaterExpireTime.count());
  }
  record.value = work.SerializeAsString();
  return record;
}

}  // namespace tocsin::model
