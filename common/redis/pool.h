// A connection pool.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/redis/connection.h"

namespace tocsin::redis {

// Safe to use from several threads. Outlives its connections in use.
class Pool {
 public:
  using Opener = std::function<Result<Connection>(SteadyTime deadline)>;

  // A connection in use. Its destructor returns it to the pool, or closes it if it is not usable
  // any more.
  class PooledConnection {
   public:
    PooledConnection(Pool& pool, Connection connection)
        : pool_(&pool), connection_(std::move(connection)) {}
    PooledConnection(PooledConnection&& other) noexcept;
    PooledConnection& operator=(PooledConnection&&) = delete;
    ~PooledConnection();
    Connection& operator*() { return *connection_; }
    Connection* operator->() { return &*connection_; }

   private:
    Pool* pool_;
    std::optional<Connection> connection_;
  };

  // Has at most `size` connections; calls `open` when none is idle.
  Pool(std::size_t size, Opener open) : size_(size), open_(std::move(open)) {}

  // Returns an idle connection that Redis has not closed, or a new one. Blocks until `deadline`.
  // Fails with kRedisUnavailable if all are in use until then, or no connection can be opened.
  Result<PooledConnection> Acquire(SteadyTime deadline);

  std::size_t InUse() const;

 private:
  void Release(std::optional<Connection> connection);

  const std::size_t size_;
  const Opener open_;
  mutable std::mutex mutex_;
  std::condition_variable released_;
  std::vector<Connection> idle_;
  std::size_t in_use_ = 0;
};

}  // namespace tocsin::redis
