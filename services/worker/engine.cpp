#include "services/worker/engine.h"

#include <future>
#include <utility>

namespace tocsin::worker {
namespace {

// Each callback takes one or two requests to Redis. They use the first lane only. While Redis is
// down they are kept; those of emergencies cause a retry all the same, so they must not wait for
// the others.
constexpr DeliveryPoolSettings kCallbackPool{.deliveries = 100, .reserved = 0, .retrying = 2'000};

}  // namespace

DeliveryEngine::DeliveryEngine(v1::Channel channel, const Parts& parts, const Config& config)
    : scheduler_(parts.scheduler),
      adapter_(parts.adapter),
      log_(parts.log, parts.scheduler),
      history_(parts.clock, parts.scheduler, parts.history),
      unanswered_calls_({parts.clock, parts.registry, parts.stores.claims, parts.call_ender}),
      limiter_(parts.clock, parts.scheduler, config.posts),
      pipeline_(
          channel,
          {parts.clock, parts.registry, parts.consents, parts.stores.claims, parts.stores.pacer,
           parts.vault, limiter_, *parts.adapter.provider, *parts.adapter.list, log_, history_,
           parts.topics, parts.probe, CallsOf(channel, config)},
          config.delivery),
      pool_([this](const IncomingRecord& record) { return pipeline_.Deliver(record); }, config.pool,
            parts.scheduler, parts.probe),
      callback_handler_(channel,
                        {parts.clock, parts.stores.claims, log_, history_, parts.topics,
                         CallsOf(channel, config)},
                        config.delivery.retry),
      callback_pool_(
          [this](const IncomingRecord& record) { return callback_handler_.Handle(record); },
          kCallbackPool, parts.scheduler, parts.probe),
      delay_queue_(parts.clock, parts.scheduler, log_, parts.topics),
      reconciliation_(
          channel,
          {parts.clock, parts.scheduler, parts.registry, parts.stores.unreconciled_attempts,
           parts.lookup, callback_handler_, log_, parts.topics, parts.probe},
          config.reconciliation) {}

// The voice worker ends the calls of all plans.
UnansweredCalls* DeliveryEngine::CallsOf(v1::Channel channel, const Config& config) {
  const bool ends_calls = channel == v1::CHANNEL_VOICE && config.end_unanswered_calls;
  return ends_calls ? &unanswered_calls_ : nullptr;
}

void DeliveryEngine::StartTasks(std::function<bool()> is_owner) {
  scheduler_.Post([this, is_owner = std::move(is_owner)] {
    tasks_.Start(pipeline_.WatchStore(scheduler_));
    tasks_.Start(reconciliation_.Serve(is_owner));
    tasks_.Start(adapter_.open_connection());
  });
}

bool DeliveryEngine::Stop(SteadyTime deadline) {
  std::promise<void> ended;
  scheduler_.Post([this, &ended] {
    tasks_.Clear();
    ended.set_value();
  });
  ended.get_future().wait();
  const bool callbacks_in_time = callback_pool_.Stop(deadline);
  scheduler_.Post([this] { limiter_.Close(); });
  const bool deliveries_in_time = pool_.Stop(deadline);
  delay_queue_.Stop();
  return callbacks_in_time && deliveries_in_time;
}

}  // namespace tocsin::worker
