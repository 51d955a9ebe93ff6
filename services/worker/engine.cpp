#include "services/worker/engine.h"

#include <utility>

namespace tocsin::worker {
namespace {

// Each callback takes one or two requests to Redis. They use the first lane only.
constexpr SenderPoolSettings kCallbackPool{.senders = 8, .reserved_for_emergency = 0};

}  // namespace

DeliveryEngine::DeliveryEngine(v1::Channel channel, const Parts& parts, const Config& config)
    : pipeline_(channel,
                {parts.clock, parts.registry, parts.consents, parts.stores.claims,
                 parts.stores.pacer, parts.vault, *parts.adapter.provider, *parts.adapter.list,
                 parts.log, parts.history, parts.topics, parts.probe},
                config.delivery),
      senders_([this](const IncomingRecord& record) { return pipeline_.Deliver(record); },
               config.pool, parts.probe),
      callback_handler_(channel,
                        {parts.clock, parts.stores.claims, parts.log, parts.history, parts.topics},
                        config.delivery.retry),
      callback_senders_(
          [this](const IncomingRecord& record) { return callback_handler_.Handle(record); },
          kCallbackPool, parts.probe),
      delay_queue_(parts.clock, parts.log, parts.topics),
      reconciliation_(channel,
                      {parts.clock, parts.registry, parts.stores.unreconciled_attempts,
                       parts.lookup, callback_handler_, parts.log, parts.topics, parts.probe},
                      config.reconciliation) {}

void DeliveryEngine::StartReconciliation(std::function<bool()> is_owner) {
  reconciler_ = std::jthread([this, is_owner = std::move(is_owner)](std::stop_token stop) {
    reconciliation_.Serve(std::move(stop), is_owner);
  });
}

bool DeliveryEngine::Stop(SteadyTime deadline) {
  reconciler_.request_stop();
  const bool callbacks_in_time = callback_senders_.Stop(deadline);
  const bool senders_in_time = senders_.Stop(deadline);
  delay_queue_.Stop();
  if (reconciler_.joinable()) reconciler_.join();
  return callbacks_in_time && senders_in_time;
}

}  // namespace tocsin::worker
