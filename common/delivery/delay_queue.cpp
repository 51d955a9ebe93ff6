#include "common/delivery/delay_queue.h"

#include <algorithm>
#include <utility>

#include "common/ports/delay_tiers.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin {
namespace {

constexpr Micros kRetryDelay = std::chrono::milliseconds(500);
constexpr Micros kMaxSleep = std::chrono::seconds(10);  // the wall clock may be set meanwhile

}  // namespace

void DelayQueue::Stop() {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  idle_.wait(lock, [this] { return in_flight_ == 0; });  // bounded by the publish timeout
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
  PostMoveDue();
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

void DelayQueue::PostMoveDue() {
  if (std::exchange(move_posted_, true)) return;
  scheduler_.Post([this] { MoveDue(); });
}

void DelayQueue::MoveDue() {
  std::unique_lock lock(mutex_);
  move_posted_ = false;
  while (!stopping_ && !waiting_.empty()) {
    const Micros left = waiting_.top()->move_time - clock_.Now();
    if (left > Micros(0)) return MoveAfter(std::min(left, kMaxSleep));
    const ItemPtr item = waiting_.top();
    waiting_.pop();
    ++in_flight_;
    lateness_ = -left;
    lock.unlock();
    Move(item);
    lock.lock();
  }
}

// One timer at a time, unless a record is due before it ends.
void DelayQueue::MoveAfter(Micros time) {
  const SteadyTime end = clock_.SteadyNow() + time;
  if (timer_end_ && *timer_end_ <= end) return;
  timer_end_ = end;
  scheduler_.After(time, [this, end] {
    if (timer_end_ != end) return;  // an earlier one was started since
    timer_end_.reset();
    MoveDue();
  });
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
  if (--in_flight_ == 0) idle_.notify_all();
  if (!stopping_) PostMoveDue();
}

}  // namespace tocsin
