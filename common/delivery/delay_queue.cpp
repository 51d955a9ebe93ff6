#include "common/delivery/delay_queue.h"

#include <algorithm>
#include <utility>

#include "common/ports/delay_tiers.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin {
namespace {

constexpr Micros kRetryDelay = std::chrono::milliseconds(500);
constexpr Micros kMaxSleep = std::chrono::seconds(1);  // the wall clock may be set meanwhile

}  // namespace

DelayQueue::DelayQueue(const Clock& clock, RecordLog& log, const Topics& topics, Drive drive)
    : clock_(clock), log_(log), topics_(topics) {
  if (drive == Drive::kOwnThread) thread_ = std::thread([this] { Run(); });
}

DelayQueue::~DelayQueue() { Stop(); }

void DelayQueue::Stop() {
  {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return in_flight_ == 0; });  // bounded by the publish timeout
  }
  if (thread_.joinable()) thread_.join();
  waiting_ = {};
  for (auto& [name, partition] : partitions_) partition.ready.clear();
}

bool DelayQueue::Offer(IncomingRecord&& record, Finish finish) {
  const auto tier = topics_.TierOf(record.position.topic());
  records::v1::WorkRecord work;
  const std::lock_guard lock(mutex_);
  if (stopping_) return false;
  if (!tier || !work.ParseFromString(record.value)) {
    ++dropped_;
    finish();
    return true;
  }
  const bool shortest = *tier == DelayTier::k5s;
  Partition& partition =
      partitions_[record.position.topic() + '/' + std::to_string(record.position.partition())];
  if (partition.held >= (shortest ? kMaxHeldShortest : kMaxHeldLonger)) return false;
  const WallTime move_time = LeaveTime(*tier, record.append_time, work);
  auto item = std::make_shared<Item>(
      Item{move_time, next_order_++, std::move(record), std::move(finish), partition});
  if (!shortest && partition.held >= kMaxInFlightLonger)
    partition.ready.push_back(std::move(item));
  else
    waiting_.push(std::move(item));
  ++partition.held;
  changed_.notify_all();
  return true;
}

size_t DelayQueue::HeldCount() const {
  const std::lock_guard lock(mutex_);
  size_t held = 0;
  for (const auto& [name, partition] : partitions_) held += partition.held;
  return held;
}
std::uint64_t DelayQueue::MovedCount() const {
  const std::lock_guard lock(mutex_);
  return moved_;
}
std::uint64_t DelayQueue::DroppedCount() const {
  const std::lock_guard lock(mutex_);
  return dropped_;
}
Micros DelayQueue::LastLateness() const {
  const std::lock_guard lock(mutex_);
  return lateness_;
}

std::optional<Micros> DelayQueue::MoveDue() {
  std::unique_lock lock(mutex_);
  return MoveDue(lock);
}

void DelayQueue::Run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const std::optional<Micros> left = MoveDue(lock);
    if (stopping_) return;
    if (left)
      changed_.wait_for(lock, std::min(*left, kMaxSleep));
    else
      changed_.wait(lock);
  }
}

std::optional<Micros> DelayQueue::MoveDue(std::unique_lock<std::mutex>& lock) {
  while (!stopping_ && !waiting_.empty()) {
    const Micros left = waiting_.top()->move_time - clock_.Now();
    if (left > Micros(0)) return left;
    const ItemPtr item = waiting_.top();
    waiting_.pop();
    ++in_flight_;
    lateness_ = -left;
    lock.unlock();
    Move(item);
    lock.lock();
  }
  return std::nullopt;
}

void DelayQueue::Move(const ItemPtr& item) {
  records::v1::WorkRecord work;
  work.ParseFromString(item->record.value);  // succeeds: Offer() has parsed it
  OutgoingRecord next{NextTopic(topics_, work, clock_.Now()), item->record.key, item->record.value,
                      item->record.headers};
  log_.Publish(std::move(next),
               [this, item](const PublishReport& report) { OnPublished(item, report); });
}

void DelayQueue::OnPublished(const ItemPtr& item, const PublishReport& report) {
  const std::lock_guard lock(mutex_);
  if (report.outcome == PublishOutcome::kPersisted) {
    ++moved_;
    Partition& partition = item->partition;
    --partition.held;
    if (!partition.ready.empty()) {
      waiting_.push(std::move(partition.ready.front()));
      partition.ready.pop_front();
    }
    item->finish();
  } else {
    item->move_time = clock_.Now() + kRetryDelay;
    waiting_.push(item);
  }
  --in_flight_;
  changed_.notify_all();
}

}  // namespace tocsin
