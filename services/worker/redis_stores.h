// The stores of a worker in Redis.
#pragma once

#include <functional>
#include <mutex>

#include "common/redis/claim_store.h"
#include "common/redis/claim_store_restorer.h"
#include "common/redis/gcra_pacer.h"
#include "common/redis/script_client.h"
#include "common/redis/server.h"
#include "common/redis/unreconciled_attempt_store.h"

namespace tocsin::worker {

// Connects on first use. `claims`, `unreconciled_attempts` and `pacer` are used on the loop's
// thread, and the object is destroyed when the loop does not run; the rest is thread-safe.
class RedisStores {
  std::mutex mutex_;  // outlives the connections, whose threads report a loss
  std::function<void()> handler_;

 public:
  // `reconcile_delay`: from a stored SID to the attempt's first reconciliation.
  RedisStores(EventLoop& loop, const redis::Settings& settings, Micros reconcile_delay);

  // Calls `handler` after each data loss. It must not block, and stays valid until it is replaced.
  void OnDataLoss(std::function<void()> handler);

  redis::Server server;
  redis::ScriptClient client;
  redis::ClaimStore claims;
  redis::UnreconciledAttemptStore unreconciled_attempts;
  redis::GcraPacer pacer;
  redis::ClaimStoreRestorer restorer;

 private:
  void NotifyDataLoss();
};

}  // namespace tocsin::worker
