#include "common/postgres/reader_pool.h"

#include <utility>

namespace tocsin::postgres {

ReaderPool::ReaderPool(const Options& options, size_t threads, size_t queue) : queue_limit_(queue) {
  for (size_t i = 0; i < threads; ++i) threads_.emplace_back([this, options] { RunJobs(options); });
}

ReaderPool::~ReaderPool() { Close(); }

bool ReaderPool::Submit(Job job) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_ || queue_.size() >= queue_limit_) return false;
    queue_.push_back(std::move(job));
  }
  changed_.notify_one();
  return true;
}

void ReaderPool::Close() {
  std::deque<Job> queued;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    queued.swap(queue_);
  }
  changed_.notify_all();
  for (std::thread& thread : threads_)
    if (thread.joinable()) thread.join();
  for (const Job& job : queued) job(nullptr);
}

size_t ReaderPool::waiting() const {
  const std::lock_guard lock(mutex_);
  return queue_.size();
}

void ReaderPool::RunJobs(const Options& options) {
  Session session(options);
  while (true) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return closed_ || !queue_.empty(); });
    if (closed_) return;
    const Job job = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    job(&session);
  }
}

}  // namespace tocsin::postgres
