// The stores of a worker in Redis.
#pragma once

#include <functional>
#include <mutex>

#include "common/redis/claim_store.h"
#include "common/redis/claim_store_restorer.h"
#include "common/redis/gcra_pacer.h"
#include "common/redis/server.h"
#include "common/redis/unreconciled_attempt_store.h"

namespace tocsin::worker {

// Thread-safe. Connects on first use.
class RedisStores {
 public:
  // `reconcile_delay`: from a stored SID to the attempt's first reconciliation.
  RedisStores(const redis::Settings& settings, Micros reconcile_delay);

  // Calls `handler` after each data loss. It must not block, and stays valid until it is replaced.
  void OnDataLoss(std::function<void()> handler);

  redis::Server server;
  redis::ClaimStore claims;
  redis::UnreconciledAttemptStore unreconciled_attempts;
  redis::GcraPacer pacer;
  redis::ClaimStoreRestorer restorer;

 private:
  void NotifyDataLoss();

  std::mutex mutex_;
  std::function<void()> handler_;
};

}  // namespace tocsin::worker
