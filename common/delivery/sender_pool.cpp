#include "common/delivery/sender_pool.h"

#include <algorithm>
#include <utility>

namespace tocsin {
namespace {

constexpr std::chrono::milliseconds kFirstWait{50};
constexpr std::chrono::milliseconds kLongestWait{1000};

}  // namespace

SenderPool::SenderPool(Deliver deliver, SenderPoolSettings settings, SenderPoolObserver observer)
    : deliver_(std::move(deliver)), settings_(settings), observer_(std::move(observer)) {
  alive_ = settings_.senders;
  for (size_t i = 0; i < settings_.senders; ++i)
    threads_.emplace_back([this, i] { Serve(i < settings_.kept_for_emergency); });
}

SenderPool::~SenderPool() {
  if (!threads_.empty()) Stop(std::chrono::steady_clock::now());
}

bool SenderPool::Offer(size_t lane, IncomingRecord&& record, Finish finish) {
  const std::lock_guard lock(mutex_);
  if (stopping_ || lanes_[lane].size() >= settings_.lane_capacity) return false;
  lanes_[lane].push_back({std::move(record), std::move(finish)});
  work_.notify_one();
  if (lane == 0) emergency_.notify_one();  // whichever of them is free first takes it
  return true;
}

bool SenderPool::Stop(std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  for (auto& lane : lanes_) lane.clear();
  work_.notify_all();
  emergency_.notify_all();
  retry_.notify_all();
  const bool all = ended_.wait_until(lock, deadline, [this] { return alive_ == 0; });
  lock.unlock();
  for (std::thread& thread : threads_) thread.join();  // bounded: a passage ends by its POST limit
  threads_.clear();
  return all;
}

size_t SenderPool::Waiting(size_t lane) const {
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
    if (const auto lane = picker_.Pick(waiting, emergency_only)) {
      item = std::move(lanes_[*lane].front());
      lanes_[*lane].pop_front();
      return true;
    }
    (emergency_only ? emergency_ : work_).wait(lock);
  }
}

void SenderPool::DeliverUntilDone(Item& item) {
  auto wait = kFirstWait;
  while (true) {
    const auto before = std::chrono::steady_clock::now();
    const Result<Passage> passage = deliver_(item.record);
    if (passage) {
      observer_.delivered(
          *passage, std::chrono::duration_cast<Micros>(std::chrono::steady_clock::now() - before));
      item.finish();
      return;
    }
    observer_.held(passage.error());
    std::unique_lock lock(mutex_);
    held_.fetch_add(1);
    const bool stop = retry_.wait_for(lock, wait, [this] { return stopping_; });
    held_.fetch_sub(1);
    if (stop) return;  // unfinished: its offset is not stored, and it is read again
    wait = std::min(wait * 2, kLongestWait);
  }
}

}  // namespace tocsin
