// Connections kept open and lent to one caller at a time.
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

// Safe to call from several threads. Outlives its loans.
class Pool {
 public:
  using Opener = std::function<Result<Connection>(SteadyTime deadline)>;

  // A connection on loan; comes back when destroyed, and is closed when it is not sound any more.
  class Loan {
   public:
    Loan(Pool& pool, Connection connection) : pool_(&pool), connection_(std::move(connection)) {}
    Loan(Loan&& other) noexcept;
    Loan& operator=(Loan&&) = delete;
    ~Loan();
    Connection& operator*() { return *connection_; }
    Connection* operator->() { return &*connection_; }

   private:
    Pool* pool_;
    std::optional<Connection> connection_;
  };

  // At most `size` connections; `open` makes one when none is idle.
  Pool(std::size_t size, Opener open) : size_(size), open_(std::move(open)) {}

  // An idle connection that Redis has not closed, or a new one. Blocks until `deadline`;
  // kRedisUnavailable when all are lent until then, or when none can be opened.
  Result<Loan> Borrow(SteadyTime deadline);

  std::size_t Lent() const;  // for a gauge

 private:
  void Return(std::optional<Connection> connection);

  const std::size_t size_;
  const Opener open_;
  mutable std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<Connection> idle_;
  std::size_t lent_ = 0;
};

}  // namespace tocsin::redis
