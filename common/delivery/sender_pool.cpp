#include "common/delivery/sender_pool.h"

#include <utility>

#include "common/base/retry_loop.h"

namespace tocsin {
namespace {

constexpr RetryDelays kRetryDelays{std::chrono::milliseconds(50), std::chrono::seconds(1)};

}  // namespace

SenderPool::SenderPool(Deliver deliver, SenderPoolSettings settings, DeliveryProbe& probe)
    : deliver_(std::move(deliver)), settings_(settings), probe_(probe) {
  alive_ = settings_.senders;
  for (size_t i = 0; i < settings_.senders; ++i)
    threads_.emplace_back([this, i] { Serve(i < settings_.reserved_for_emergency); });
}

SenderPool::~SenderPool() {
  if (!threads_.empty()) Stop(std::chrono::steady_clock::now());
}

bool SenderPool::Offer(size_t lane, IncomingRecord&& record, Finish finish) {
  const std::lock_guard lock(mutex_);
  if (stopping_ || lanes_[lane].size() >= settings_.lane_capacity) return false;
  lanes_[lane].push_back({std::move(record), std::move(finish)});
  work_.notify_one();
  if (lane == 0) emergency_.notify_one();  // the first free sender of either kind takes it
  return true;
}

bool SenderPool::Stop(SteadyTime deadline) {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  for (auto& lane : lanes_) lane.clear();
  work_.notify_all();
  emergency_.notify_all();
  stopping_changed_.notify_all();
  const bool in_time = ended_.wait_until(lock, deadline, [this] { return alive_ == 0; });
  lock.unlock();
  for (std::thread& thread : threads_) thread.join();  // bounded by the timeouts of a delivery
  threads_.clear();
  return in_time;
}

size_t SenderPool::WaitingCount(size_t lane) const {
  const std::lock_guard lock(mutex_);
  return lanes_[lane].size();
}

void SenderPool::Serve(bool emergency_only) {
  Item item;
  while (Take(emergency_only, item)) {
    busy_.fetch_add(1);
    DeliverUntilDone(item);
    busy_.fetch_sub(1);
    item = {};
  }
  const std::lock_guard lock(mutex_);
  if (--alive_ == 0) ended_.notify_all();
}

bool SenderPool::Take(bool emergency_only, Item& item) {
  std::unique_lock lock(mutex_);
  while (true) {
    if (stopping_) return false;
    std::array<bool, kLanes> waiting{};
    for (size_t i = 0; i < kLanes; ++i) waiting[i] = !lanes_[i].empty();
    if (const auto lane = scheduler_.Pick(waiting, emergency_only)) {
      item = std::move(lanes_[*lane].front());
      lanes_[*lane].pop_front();
      return true;
    }
    (emergency_only ? emergency_ : work_).wait(lock);
  }
}

void SenderPool::DeliverUntilDone(Item& item) {
  Micros duration{};  // of the last delivery, the successful one
  const auto deliver = [&] {
    const auto begin = std::chrono::steady_clock::now();
    auto result = deliver_(item.record);
    duration = std::chrono::duration_cast<Micros>(std::chrono::steady_clock::now() - begin);
    return result;
  };
  const Result<DeliveryResult> result = RetryLoop(
      kRetryDelays, deliver, [this](Micros delay) { return SleepUnlessStopping(delay); },
      [this](const Error& error) { probe_.OnDependencyError(error); });
  if (!result) return;  // stopping: the offset is not stored, and the record is read again
  probe_.OnDelivered(*result, duration);
  item.finish();
}

bool SenderPool::SleepUnlessStopping(Micros time) {
  std::unique_lock lock(mutex_);
  blocked_.fetch_add(1);
  const bool stopping = stopping_changed_.wait_for(lock, time, [this] { return stopping_; });
  blocked_.fetch_sub(1);
  return !stopping;
}

}  // namespace tocsin
