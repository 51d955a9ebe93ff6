#include "common/redis/pool.h"

namespace tocsin::redis {

Pool::PooledConnection::PooledConnection(PooledConnection&& other) noexcept
    : pool_(std::exchange(other.pool_, nullptr)), connection_(std::move(other.connection_)) {}

Pool::PooledConnection::~PooledConnection() {
  if (pool_ != nullptr) pool_->Release(std::move(connection_));
}

Result<Pool::PooledConnection> Pool::Acquire(SteadyTime deadline) {
  std::vector<Connection> closed;  // destroyed after the lock is released
  {
    std::unique_lock lock(mutex_);
    if (!released_.wait_until(lock, deadline, [this] { return in_use_ < size_; }))
      return Fail(Unavailable("all connections in use"));
    ++in_use_;
    while (!idle_.empty()) {
      Connection connection = std::move(idle_.back());
      idle_.pop_back();
      if (connection.IsUsable()) return PooledConnection(*this, std::move(connection));
      closed.push_back(std::move(connection));
    }
  }
  Result<Connection> opened = open_(deadline);
  if (!opened) {
    Release(std::nullopt);
    return Fail(std::move(opened).error());
  }
  return PooledConnection(*this, *std::move(opened));
}

std::size_t Pool::InUse() const {
  const std::lock_guard lock(mutex_);
  return in_use_;
}

void Pool::Release(std::optional<Connection> connection) {
  {
    const std::lock_guard lock(mutex_);
    --in_use_;
    if (connection && connection->IsUsable()) idle_.push_back(*std::move(connection));
  }
  released_.notify_one();
}

}  // namespace tocsin::redis
