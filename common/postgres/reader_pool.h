// Threads that read from PostgreSQL for callers that must not block.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "common/base/result.h"
#include "common/postgres/session.h"

namespace tocsin::postgres {

// Each thread has one session. Thread-safe.
class ReaderPool {
 public:
  // Runs on a thread of the pool. `session` is null if the pool was closed first: then the job runs
  // on the thread that calls Close().
  using Job = std::function<void(Session* session)>;

  // `threads` and `queue` (jobs waiting for a thread) are at least 1.
  ReaderPool(const Options& options, size_t threads, size_t queue);

  // As Close().
  ~ReaderPool();
  ReaderPool(const ReaderPool&) = delete;
  ReaderPool& operator=(const ReaderPool&) = delete;

  // Never blocks. False if the queue is full or the pool is closed: the job does not run.
  bool Submit(Job job);

  // Waits for running jobs, then runs queued ones without a session.
  void Close();

  size_t waiting() const;  // queued jobs

 private:
  void RunJobs(const Options& options);

  const size_t queue_limit_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> queue_;
  bool closed_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace tocsin::postgres
