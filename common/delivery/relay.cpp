#include "common/delivery/relay.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "common/domain/waiting.h"
#include "tocsin/v1/records.pb.h"

namespace tocsin {
namespace {

constexpr Micros kAfterFailure = std::chrono::milliseconds(500);
constexpr Micros kLongestNap = std::chrono::seconds(1);  // the wall clock may be set while we wait

}  // namespace

Relay::Relay(const Clock& clock, RecordLog& log, const Topics& topics, Drive drive)
    : clock_(clock), log_(log), topics_(topics) {
  if (drive == Drive::kOwnThread) thread_ = std::thread([this] { Run(); });
}

Relay::~Relay() { Stop(); }

void Relay::Stop() {
  {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return moving_ == 0; });  // bounded by the delivery time-out
  }
  if (thread_.joinable()) thread_.join();
  for (; !waiting_.empty(); waiting_.pop()) delete waiting_.top();
  for (auto& [source, line] : lines_)
    for (; !line.behind.empty(); line.behind.pop_front()) delete line.behind.front();
}

bool Relay::Offer(IncomingRecord&& record, Finish finish) {
  const auto tier = topics_.TierOf(record.position.topic());
  v1::WorkRecord work;
  const std::lock_guard lock(mutex_);
  if (stopping_) return false;
  if (!tier || !work.ParseFromString(record.value)) {
    ++dropped_;
    finish();
    return true;
  }
  const bool shortest = *tier == DelayTier::k5s;
  Line& line = lines_[record.position.topic() + '/' + std::to_string(record.position.partition())];
  if (line.held >= (shortest ? kHeldOfShortest : kHeldOfLonger)) return false;
  const WallTime moves_on = MovesOn(*tier, record.append_time, work);
  auto* const item = new Item{moves_on, order_++, std::move(record), std::move(finish), line};
  if (!shortest && line.held >= kUnderWayOfLonger)
    line.behind.push_back(item);
  else
    waiting_.push(item);
  ++line.held;
  changed_.notify_all();
  return true;
}

size_t Relay::Held() const {
  const std::lock_guard lock(mutex_);
  size_t held = 0;
  for (const auto& [source, line] : lines_) held += line.held;
  return held;
}
std::uint64_t Relay::Moved() const {
  const std::lock_guard lock(mutex_);
  return moved_;
}
std::uint64_t Relay::Dropped() const {
  const std::lock_guard lock(mutex_);
  return dropped_;
}
Micros Relay::LastLateness() const {
  const std::lock_guard lock(mutex_);
  return lateness_;
}

std::optional<Micros> Relay::MoveDue() {
  std::unique_lock lock(mutex_);
  return MoveDue(lock);
}

void Relay::Run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const std::optional<Micros> left = MoveDue(lock);
    if (stopping_) return;
    if (left)
      changed_.wait_for(lock, std::min(*left, kLongestNap));
    else
      changed_.wait(lock);
  }
}

std::optional<Micros> Relay::MoveDue(std::unique_lock<std::mutex>& lock) {
  while (!stopping_ && !waiting_.empty()) {
    const Micros left = waiting_.top()->moves_on - clock_.Now();
    if (left > Micros(0)) return left;
    Item* item = waiting_.top();
    waiting_.pop();
    ++moving_;
    lateness_ = -left;
    lock.unlock();
    Move(item);
    lock.lock();
  }
  return std::nullopt;
}

void Relay::Move(Item* item) {
  v1::WorkRecord work;
  work.ParseFromString(item->record.value);  // parsed before: Offer() took it
  OutgoingRecord next{NextStop(topics_, work, clock_.Now()), item->record.key, item->record.value,
                      item->record.headers};
  log_.Publish(std::move(next), [this, item](const PublishReport& report) { Ended(item, report); });
}

void Relay::Ended(Item* item, const PublishReport& report) {
  Finish finish;
  {
    const std::lock_guard lock(mutex_);
    if (report.outcome == PublishOutcome::kPersisted) {
      ++moved_;
      Line& line = item->line;
      --line.held;
      if (!line.behind.empty()) {
        waiting_.push(line.behind.front());
        line.behind.pop_front();
      }
      finish = std::move(item->finish);
      delete item;
    } else {
      item->moves_on = clock_.Now() + kAfterFailure;
      waiting_.push(item);
    }
    if (finish) finish();
    --moving_;
    changed_.notify_all();
  }
}

}  // namespace tocsin
