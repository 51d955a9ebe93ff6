#include "common/delivery/post_limiter.h"

#include <algorithm>
#include <utility>

namespace tocsin {
namespace {

size_t StepsAboveBulk(v1::Priority priority) {
  return static_cast<size_t>(v1::PRIORITY_BULK - std::max(priority, v1::PRIORITY_EMERGENCY));
}

}  // namespace

PostPermit::PostPermit(PostPermit&& other) noexcept
    : limiter_(std::exchange(other.limiter_, nullptr)),
      priority_(other.priority_),
      posting_(other.posting_) {}

Task<bool> PostPermit::AwaitTurn(SteadyTime deadline) {
  posting_ = co_await limiter_->Enter(limiter_->posting_, priority_, deadline);
  co_return posting_;
}

void PostPermit::Release() {
  if (PostLimiter* const limiter = std::exchange(limiter_, nullptr)) limiter->Leave(posting_);
}

PostLimiter::PostLimiter(const Clock& clock, Scheduler& scheduler, PostLimits limits)
    : clock_(clock), scheduler_(scheduler), limits_(limits) {}

Task<std::optional<PostPermit>> PostLimiter::Acquire(v1::Priority priority) {
  const bool entered = co_await Enter(entered_, priority, SteadyTime::max());
  if (!entered) co_return std::optional<PostPermit>();
  co_return std::optional(PostPermit(*this, priority));
}

Task<bool> PostLimiter::Enter(Stage& stage, v1::Priority priority, SteadyTime deadline) {
  if (closed_) co_return false;
  if (stage.waiting.empty() && HasRoom(stage, priority)) {
    ++stage.count;
    co_return true;
  }
  const auto start = [&](const Callback<bool>& done) {
    stage.waiting.push_back({priority, deadline, done});
    if (HasRoom(stage, priority)) PostAdmit();
    if (&stage == &posting_) WatchDeadline();
  };
  co_return co_await AwaitCallback<bool>(start);
}

void PostLimiter::Leave(bool posting) {
  --entered_.count;
  if (posting) {
    --posting_.count;
    released_.push_back(clock_.SteadyNow());
    if (released_.size() > limits_.posts) released_.pop_front();
  }
  PostAdmit();
}

bool PostLimiter::HasRoom(const Stage& stage, v1::Priority priority) {
  const size_t limit = limits_.posts + StepsAboveBulk(priority) * limits_.reserved;
  return stage.count < limit || (&stage == &entered_ && stage.count < limit + ReleasedLately());
}

size_t PostLimiter::ReleasedLately() {
  const SteadyTime since = clock_.SteadyNow() - kPostPreparation;
  while (!released_.empty() && released_.front() < since) released_.pop_front();
  return released_.size();
}

// Not at once: the caller is a delivery, and those that are admitted run until they wait again.
void PostLimiter::PostAdmit() {
  if (entered_.waiting.empty() && posting_.waiting.empty()) return;
  if (std::exchange(admit_posted_, true)) return;
  scheduler_.Post([this] {
    admit_posted_ = false;
    Admit(posting_);
    Admit(entered_);
  });
}

void PostLimiter::Admit(Stage& stage) {
  while (true) {
    const auto next = std::ranges::find_if(stage.waiting, [&](const Waiting& waiting) {
      return waiting.done.Abandoned() || HasRoom(stage, waiting.priority);
    });
    if (next == stage.waiting.end()) return;
    const Callback<bool> done = std::move(next->done);
    stage.waiting.erase(next);
    if (done.Abandoned()) continue;
    ++stage.count;
    done(true);
  }
}

void PostLimiter::WatchDeadline() {
  if (posting_.waiting.empty() || std::exchange(deadline_watched_, true)) return;
  const SteadyTime first = std::ranges::min(posting_.waiting, {}, &Waiting::deadline).deadline;
  scheduler_.After(std::chrono::ceil<Micros>(first - clock_.SteadyNow()), [this] {
    deadline_watched_ = false;
    EndLate();
    WatchDeadline();
  });
}

void PostLimiter::EndLate() {
  const SteadyTime now = clock_.SteadyNow();
  std::deque<Waiting> late;
  std::erase_if(posting_.waiting, [&](Waiting& waiting) {
    if (waiting.deadline > now) return false;
    late.push_back(std::move(waiting));
    return true;
  });
  for (const Waiting& waiting : late) waiting.done(false);
}

void PostLimiter::Close() {
  closed_ = true;
  for (Stage* const stage : {&entered_, &posting_})
    for (const Waiting& waiting : std::exchange(stage->waiting, {})) waiting.done(false);
}

}  // namespace tocsin
