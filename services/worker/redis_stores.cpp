#include "services/worker/redis_stores.h"

#include <utility>

#include "common/telemetry/log.h"

namespace tocsin::worker {

RedisStores::RedisStores(EventLoop& loop, const redis::Settings& settings, Micros reconcile_delay)
    : server(settings, [this] { NotifyDataLoss(); }),
      client(server, loop),
      claims(client, reconcile_delay),
      unreconciled_attempts(client),
      pacer(client),
      restorer(server, reconcile_delay) {}

void RedisStores::OnDataLoss(std::function<void()> handler) {
  const std::lock_guard lock(mutex_);
  handler_ = std::move(handler);
}

void RedisStores::NotifyDataLoss() {
  telemetry::Log(telemetry::Severity::kError, "redis.data_loss",
                 "Redis lost its data; restoring claims from the log");
  const std::lock_guard lock(mutex_);
  if (handler_) handler_();
}

}  // namespace tocsin::worker
