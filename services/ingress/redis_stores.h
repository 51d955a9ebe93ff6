// The stores of the ingress in Redis.
#pragma once

#include <functional>
#include <mutex>

#include "common/redis/acceptance_store_restorer.h"
#include "common/redis/admission_queue.h"
#include "common/redis/server.h"

namespace tocsin::ingress {

// Thread-safe, except the restorer. Connects on first use.
class RedisStores {
 public:
  explicit RedisStores(const redis::Settings& settings);

  // Calls `handler` after each data loss and each restart of Redis, which may have lost data. It
  // must not block, and stays valid until it is replaced.
  void OnDataLoss(std::function<void()> handler);

  redis::Server server;
  redis::AdmissionQueue admissions;
  redis::AcceptanceStoreRestorer restorer;

 private:
  void NotifyDataLoss();
  void CallHandler();

  std::mutex mutex_;
  std::function<void()> handler_;
};

}  // namespace tocsin::ingress
