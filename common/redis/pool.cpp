#include "common/redis/pool.h"

namespace tocsin::redis {

Pool::Loan::Loan(Loan&& other) noexcept
    : pool_(std::exchange(other.pool_, nullptr)), connection_(std::move(other.connection_)) {}

Pool::Loan::~Loan() {
  if (pool_ != nullptr) pool_->Return(std::move(connection_));
}

Result<Pool::Loan> Pool::Borrow(SteadyTime deadline) {
  std::vector<Connection> dead;  // closed after the lock is given back
  {
    std::unique_lock lock(mutex_);
    if (!returned_.wait_until(lock, deadline, [this] { return lent_ < size_; }))
      return Fail(Unavailable("all connections were in use for the whole time-out"));
    ++lent_;
    while (!idle_.empty()) {
      Connection connection = std::move(idle_.back());
      idle_.pop_back();
      if (connection.Sound()) return Loan(*this, std::move(connection));
      dead.push_back(std::move(connection));
    }
  }
  Result<Connection> opened = open_(deadline);
  if (!opened) {
    Return(std::nullopt);
    return Fail(std::move(opened).error());
  }
  return Loan(*this, *std::move(opened));
}

std::size_t Pool::Lent() const {
  const std::lock_guard lock(mutex_);
  return lent_;
}

void Pool::Return(std::optional<Connection> connection) {
  {
    const std::lock_guard lock(mutex_);
    --lent_;
    if (connection && connection->Sound()) idle_.push_back(*std::move(connection));
  }
  returned_.notify_one();
}

}  // namespace tocsin::redis
