#include "common/kafka/partition_progress.h"

#include <utility>

#include "common/base/failpoint.h"

namespace tocsin::kafka {

bool PartitionProgress::Begin(std::int64_t offset, WallTime append_time) {
  const std::lock_guard lock(mutex_);
  return tracker_.Begin(offset, append_time);
}

std::optional<std::int64_t> PartitionProgress::Prefix() const {
  const std::lock_guard lock(mutex_);
  return tracker_.Prefix();
}

std::optional<WallTime> PartitionProgress::OldestOpen() const {
  const std::lock_guard lock(mutex_);
  return tracker_.OldestOpen();
}

size_t PartitionProgress::Open() const {
  const std::lock_guard lock(mutex_);
  return tracker_.Open();
}

void PartitionProgress::HandOut() {
  const std::lock_guard lock(mutex_);
  ++in_flight_;
}

void PartitionProgress::Finish(std::int64_t offset) {
  const std::lock_guard lock(mutex_);
  tracker_.Finish(offset);
  Return();
}

void PartitionProgress::Drop() {
  const std::lock_guard lock(mutex_);
  Return();
}

void PartitionProgress::Return() {
  if (--in_flight_ == 0) idle_.notify_all();
}

size_t PartitionProgress::InFlight() const {
  const std::lock_guard lock(mutex_);
  return in_flight_;
}

bool PartitionProgress::WaitIdle(SteadyTime deadline) {
  std::unique_lock lock(mutex_);
  return idle_.wait_until(lock, deadline, [&] { return in_flight_ == 0; });
}

Done::Done(std::shared_ptr<PartitionProgress> progress, std::int64_t offset)
    : progress_(std::move(progress)), offset_(offset) {
  progress_->HandOut();
}

Done::Done(Done&& other) noexcept
    : progress_(std::exchange(other.progress_, nullptr)), offset_(other.offset_) {}

Done& Done::operator=(Done&& other) noexcept {
  if (this == &other) return *this;
  if (progress_) progress_->Drop();
  progress_ = std::exchange(other.progress_, nullptr);
  offset_ = other.offset_;
  return *this;
}

Done::~Done() {
  if (progress_) progress_->Drop();
}

void Done::operator()() {
  const auto progress = std::exchange(progress_, nullptr);
  if (progress == nullptr) return;
  if (TOCSIN_FAILS_AT("store"))
    progress->Drop();
  else
    progress->Finish(offset_);
}

}  // namespace tocsin::kafka
