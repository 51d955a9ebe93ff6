#include "services/ingress/work_finder.h"

#include <utility>

namespace tocsin::ingress {
namespace {

tl::unexpected<Error> TooMany() {
  return Fail(ErrorCode::kOverloaded, "too many calls ask for their text at once");
}

// The step's work may be that of a later try; a call is told its own.
std::optional<v1::WorkRecord> WorkOf(const v1::TryName& name, const std::string& bytes) {
  v1::WorkRecord work;
  if (!work.ParseFromString(bytes) || work.try_().alert_id() != name.alert_id() ||
      work.try_().step() != name.step() || work.try_().try_() != name.try_())
    return std::nullopt;
  return work;
}

}  // namespace

WorkFinder::WorkFinder(Sources sources) : sources_(std::move(sources)) {
  for (size_t i = 0; i < kThreads; ++i) threads_.emplace_back([this] { Serve(); });
}

void WorkFinder::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  asked_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  for (const Question& question : std::exchange(waiting_, {})) question.answer(TooMany());
}

void WorkFinder::Find(const v1::TryName& name, const v1::Position& position,
                      std::function<void(Result<v1::WorkRecord>)> answer) {
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() < kMaxWaiting && !stopping_) {
      waiting_.push_back({name, position, std::move(answer)});
      asked_.notify_one();
      return;
    }
  }
  answer(TooMany());
}

void WorkFinder::Serve() {
  while (true) {
    Question question;
    {
      std::unique_lock lock(mutex_);
      asked_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (stopping_) return;
      question = std::move(waiting_.front());
      waiting_.pop_front();
    }
    question.answer(Search(question));
  }
}

Result<v1::WorkRecord> WorkFinder::Search(const Question& question) const {
  const auto kept = sources_.store(question.name);
  if (kept && *kept)
    if (auto work = WorkOf(question.name, **kept)) return *std::move(work);
  TOCSIN_TRY(const std::optional<std::string> logged, sources_.log(question.position));
  if (logged)
    if (auto work = WorkOf(question.name, *logged)) return *std::move(work);
  return Fail(ErrorCode::kNotFound, "nobody has the work of this try any more");
}

}  // namespace tocsin::ingress
