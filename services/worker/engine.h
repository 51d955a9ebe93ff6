// The delivery core of a worker and its threads.
#pragma once

#include <functional>
#include <thread>

#include "common/delivery/callback_handler.h"
#include "common/delivery/delay_queue.h"
#include "common/delivery/pipeline.h"
#include "common/delivery/reconciliation.h"
#include "common/delivery/sender_pool.h"
#include "common/ports/provider_lookup.h"
#include "services/worker/redis_stores.h"
#include "services/worker/spec.h"

namespace tocsin::worker {

// The parts must outlive it.
class DeliveryEngine {
 public:
  struct Parts {
    const Clock& clock;
    const RegistrySource& registry;
    ConsentBook& consents;
    RedisStores& stores;
    Vault& vault;
    const ChannelAdapter& adapter;
    ProviderLookup& lookup;
    RecordLog& log;
    RecordHistory& history;
    const Topics& topics;
    DeliveryProbe& probe;
  };

  DeliveryEngine(v1::Channel channel, const Parts& parts, const Config& config);

  // Starts the reconciliation thread. It works while `is_owner` returns true: in one process per
  // channel.
  void StartReconciliation(std::function<bool()> is_owner);

  // Drops waiting records, waits for those in progress and stops all threads. Returns true if every
  // sender ended before `deadline`. Blocks until all have ended.
  bool Stop(SteadyTime deadline);

  SenderPool& senders() { return senders_; }
  const CallbackHandler& callback_handler() const { return callback_handler_; }
  SenderPool& callback_senders() { return callback_senders_; }
  DelayQueue& delay_queue() { return delay_queue_; }

 private:
  DeliveryPipeline pipeline_;
  SenderPool senders_;
  CallbackHandler callback_handler_;
  SenderPool callback_senders_;
  DelayQueue delay_queue_;
  Reconciliation reconciliation_;
  std::jthread reconciler_;
};

}  // namespace tocsin::worker
