#include "common/kafka/partition_progress.h"

#include <utility>

#include "common/base/failpoint.h"

namespace tocsin::kafka {

bool PartitionProgress::Begin(std::int64_t offset, WallTime append_time) {
  const std::lock_guard lock(mutex_);
  return tracker_.Begin(offset, append_time);
}

std::optional<std::int64_t> PartitionProgress::CommitOffset() const {
  const std::lock_guard lock(mutex_);
  return tracker_.CommitOffset();
}

std::optional<WallTime> PartitionProgress::OldestUncompleted() const {
  const std::lock_guard lock(mutex_);
  return tracker_.OldestUncompleted();
}

void PartitionProgress::AddInFlight() {
  const std::lock_guard lock(mutex_);
  ++in_flight_;
}

void PartitionProgress::Complete(std::int64_t offset) {
  const std::lock_guard lock(mutex_);
  tracker_.Complete(offset);
  RemoveInFlight();
}

void PartitionProgress::Abandon() {
  const std::lock_guard lock(mutex_);
  RemoveInFlight();
}

void PartitionProgress::RemoveInFlight() {
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

Completion::Completion(std::shared_ptr<PartitionProgress> progress, std::int64_t offset)
    : progress_(std::move(progress)), offset_(offset) {
  progress_->AddInFlight();
}

Completion::Completion(Completion&& other) noexcept
    : progress_(std::exchange(other.progress_, nullptr)), offset_(other.offset_) {}

Completion& Completion::operator=(Completion&& other) noexcept {
  if (this == &other) return *this;
  if (progress_) progress_->Abandon();
  progress_ = std::exchange(other.progress_, nullptr);
  offset_ = other.offset_;
  return *this;
}

Completion::~Completion() {
  if (progress_) progress_->Abandon();
}

void Completion::operator()() {
  const auto progress = std::exchange(progress_, nullptr);
  if (progress == nullptr) return;
  if (TOCSIN_FAILS_AT("store"))
    progress->Abandon();
  else
    progress->Complete(offset_);
}

}  // namespace tocsin::kafka
