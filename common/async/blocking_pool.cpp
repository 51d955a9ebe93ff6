#include "common/async/blocking_pool.h"

namespace tocsin {

BlockingPool::BlockingPool(std::size_t threads) {
  for (std::size_t i = 0; i < threads; ++i)
    threads_.emplace_back([this](const std::stop_token& stop) { Serve(stop); });
}

BlockingPool::~BlockingPool() {
  for (std::jthread& thread : threads_) thread.request_stop();
}

void BlockingPool::Run(std::function<void()> function) {
  const std::lock_guard lock(mutex_);
  waiting_.push_back(std::move(function));
  changed_.notify_one();
}

void BlockingPool::Serve(const std::stop_token& stop) {
  while (true) {
    std::function<void()> function;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, stop, [this] { return !waiting_.empty(); });
      if (stop.stop_requested()) return;
      function = std::move(waiting_.front());
      waiting_.pop_front();
    }
    function();
  }
}

}  // namespace tocsin
