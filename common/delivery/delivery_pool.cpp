#include "common/delivery/delivery_pool.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/async/retry.h"

namespace tocsin {
namespace {

constexpr RetryDelays kRetryDelays{std::chrono::milliseconds(50), std::chrono::seconds(1)};

}  // namespace

DeliveryPool::DeliveryPool(Deliver deliver, DeliveryPoolSettings settings, Scheduler& scheduler,
                           DeliveryProbe& probe)
    : deliver_(std::move(deliver)), settings_(settings), scheduler_(scheduler), probe_(probe) {}

DeliveryPool::~DeliveryPool() = default;

bool DeliveryPool::Offer(size_t lane, IncomingRecord&& record, Finish finish) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || lanes_[lane].size() >= settings_.lane_capacity) return false;
    lanes_[lane].push_back({std::move(record), std::move(finish)});
    if (HasRoom(lane)) PostStart();
  }
  return true;
}

bool DeliveryPool::Stop(SteadyTime deadline) {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  for (auto& lane : lanes_) lane.clear();
  scheduler_.Post([this] { EndWaits(); });
  const auto ended = [this] { return in_flight_ == 0; };
  const bool in_time = idle_.wait_until(lock, deadline, ended);
  idle_.wait(lock, ended);
  return in_time;
}

size_t DeliveryPool::WaitingCount(size_t lane) const {
  const std::lock_guard lock(mutex_);
  return lanes_[lane].size();
}

size_t DeliveryPool::InFlightCount() const {
  const std::lock_guard lock(mutex_);
  return in_flight_;
}

bool DeliveryPool::HasRoom(size_t lane) const {
  const size_t counted = in_flight_ - std::min(retrying_.load(), settings_.retrying);
  return counted < settings_.deliveries + (kLanes - 1 - lane) * settings_.reserved;
}

void DeliveryPool::PostStart() {
  if (std::exchange(start_posted_, true)) return;
  scheduler_.Post([this] { StartDeliveries(); });
}

void DeliveryPool::StartDeliveries() {
  std::unique_lock lock(mutex_);
  start_posted_ = false;
  while (!stopping_) {
    std::array<bool, kLanes> ready{};
    for (size_t lane = 0; lane < kLanes; ++lane)
      ready[lane] = !lanes_[lane].empty() && HasRoom(lane);
    const std::optional<size_t> lane = lane_scheduler_.Pick(ready);
    if (!lane) return;
    Item item = std::move(lanes_[*lane].front());
    lanes_[*lane].pop_front();
    ++in_flight_;
    lock.unlock();
    deliveries_.Start(DeliverUntilDone(std::move(item)));
    lock.lock();
  }
}

Task<void> DeliveryPool::DeliverUntilDone(Item item) {
  SteadyTime begin;  // of the last delivery, the successful one
  const auto deliver = [&] {
    begin = std::chrono::steady_clock::now();
    return deliver_(item.record);
  };
  const auto sleep = [this](Micros delay) { return WaitUnlessStopping(delay); };
  const auto report = [this](const Error& error) { probe_.OnDependencyError(error); };
  const Result<DeliveryResult> result = co_await RetryTask(kRetryDelays, deliver, sleep, report);
  // Without a result the pool is stopping: the offset is not stored, and the record is read again.
  if (result) {
    probe_.OnDelivered(
        *result, std::chrono::duration_cast<Micros>(std::chrono::steady_clock::now() - begin));
    item.finish();
  }
  const std::lock_guard lock(mutex_);
  if (--in_flight_ == 0) idle_.notify_all();
  PostStart();
}

Task<bool> DeliveryPool::WaitUnlessStopping(Micros time) {
  const auto start = [&](const Callback<bool>& done) {
    const std::uint64_t wait = next_wait_++;
    waits_.emplace(wait, done);
    scheduler_.After(time, [this, wait] {
      const auto ended = waits_.extract(wait);
      if (!ended.empty()) ended.mapped()(true);
    });
    const std::lock_guard lock(mutex_);
    if (stopping_) scheduler_.Post([this] { EndWaits(); });
    if (settings_.retrying > 0) PostStart();
  };
  ++retrying_;
  const bool continues = co_await AwaitCallback<bool>(start);
  --retrying_;
  co_return continues;
}

void DeliveryPool::EndWaits() {
  for (const auto& [wait, done] : std::exchange(waits_, {})) done(false);
}

}  // namespace tocsin
