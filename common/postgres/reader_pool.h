// A few threads that read from PostgreSQL for those who must not block.
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

// Each thread holds one session. Thread-safe.
class ReaderPool {
 public:
  // A query and its answer. It runs on a thread of the pool. With a session it reads; without one
  // (`session` is null) the pool is closing and the job answers so.
  using Job = std::function<void(Session* session)>;

  // `threads` and `queue` (jobs waiting for a thread) are at least 1.
  ReaderPool(const Options& options, size_t threads, size_t queue);

  // As Close().
  ~ReaderPool();
  ReaderPool(const ReaderPool&) = delete;
  ReaderPool& operator=(const ReaderPool&) = delete;

  // Never blocks. False when as many jobs wait as may, or the pool is closed: the job is dropped
  // uncalled.
  bool Submit(Job job);

  // Lets the running jobs end, calls those that wait with no session. Blocks for one query at most.
  void Close();

  size_t waiting() const;

 private:
  void Serve(const Options& options);

  const size_t queue_limit_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> queue_;
  bool closed_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace tocsin::postgres
