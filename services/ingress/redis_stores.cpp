#include "services/ingress/redis_stores.h"

#include <utility>

#include "common/telemetry/log.h"

namespace tocsin::ingress {

RedisStores::RedisStores(const redis::Settings& settings)
    : server(
          settings, [this] { NotifyDataLoss(); }, [this] { CallHandler(); }),
      admissions(server),
      restorer(server) {}

void RedisStores::OnDataLoss(std::function<void()> handler) {
  const std::lock_guard lock(mutex_);
  handler_ = std::move(handler);
}

void RedisStores::NotifyDataLoss() {
  telemetry::Log(telemetry::Severity::kError, "redis.data_loss",
                 "Redis lost its data; restoring acceptances from the lanes");
  CallHandler();
}

void RedisStores::CallHandler() {
  const std::lock_guard lock(mutex_);
  if (handler_) handler_();
}

}  // namespace tocsin::ingress
