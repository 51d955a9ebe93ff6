#include "services/ingress/webhooks/work_finder.h"

#include <utility>

namespace tocsin::ingress {
namespace {

tl::unexpected<Error> TooMany() {
  return Fail(ErrorCode::kOverloaded, "too many lookups of work records");
}

// The store has the newest attempt of the step; a call needs its own.
std::optional<records::v1::WorkRecord> WorkOf(const v1::AttemptRef& attempt,
                                              const std::string& bytes) {
  records::v1::WorkRecord work;
  if (!work.ParseFromString(bytes) || work.attempt().alert_id() != attempt.alert_id() ||
      work.attempt().step() != attempt.step() || work.attempt().attempt() != attempt.attempt())
    return std::nullopt;
  return work;
}

}  // namespace

WorkFinder::WorkFinder(Sources sources, const Clock& clock)
    : sources_(std::move(sources)), clock_(clock) {
  for (size_t i = 0; i < kThreads; ++i) threads_.emplace_back([this] { Run(); });
}

void WorkFinder::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  added_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  for (const Pending& pending : std::exchange(pending_, {})) pending.done(TooMany());
}

void WorkFinder::Find(const v1::AttemptRef& attempt, const records::v1::Position& position,
                      std::function<void(Result<records::v1::WorkRecord>)> done) {
  {
    const std::lock_guard lock(mutex_);
    if (pending_.size() < kMaxPending && !stopping_) {
      pending_.push_back({attempt, position, std::move(done), clock_.SteadyNow() + kMaxWait});
      added_.notify_one();
      return;
    }
  }
  done(TooMany());
}

void WorkFinder::Run() {
  while (true) {
    Pending pending;
    {
      std::unique_lock lock(mutex_);
      added_.wait(lock, [this] { return stopping_ || !pending_.empty(); });
      if (stopping_) return;
      pending = std::move(pending_.front());
      pending_.pop_front();
    }
    const bool late = clock_.SteadyNow() >= pending.deadline;
    pending.done(late ? TooMany() : Search(pending));
  }
}

Result<records::v1::WorkRecord> WorkFinder::Search(const Pending& pending) const {
  const auto stored = sources_.store(pending.attempt);
  if (stored && *stored)
    if (auto work = WorkOf(pending.attempt, **stored)) return *std::move(work);
  TOCSIN_TRY(const std::optional<std::string> logged, sources_.log(pending.position));
  if (logged)
    if (auto work = WorkOf(pending.attempt, *logged)) return *std::move(work);
  return Fail(ErrorCode::kNotFound, "work record not found");
}

}  // namespace tocsin::ingress
