// The delivery core of a worker, on one event loop.
#pragma once

#include <functional>

#include "common/async/scheduler.h"
#include "common/async/task_group.h"
#include "common/delivery/callback_handler.h"
#include "common/delivery/delay_queue.h"
#include "common/delivery/delivery_pool.h"
#include "common/delivery/history_reader.h"
#include "common/delivery/loop_record_log.h"
#include "common/delivery/pipeline.h"
#include "common/delivery/post_limiter.h"
#include "common/delivery/reconciliation.h"
#include "common/delivery/unanswered_calls.h"
#include "common/ports/provider_lookup.h"
#include "services/worker/redis_stores.h"
#include "services/worker/spec.h"

namespace tocsin::worker {

// Constructed before the loop's thread starts, and destroyed after it has ended. The parts must
// outlive it.
class DeliveryEngine {
 public:
  struct Parts {
    const Clock& clock;
    Scheduler& scheduler;  // the loop
    const RegistrySource& registry;
    ConsentBook& consents;
    RedisStores& stores;
    Vault& vault;
    const ChannelAdapter& adapter;
    ProviderLookup& lookup;
    CallEnder& call_ender;
    RecordLog& log;
    RecordHistory& history;
    const Topics& topics;
    DeliveryProbe& probe;
  };

  DeliveryEngine(v1::Channel channel, const Parts& parts, const Config& config);

  // Starts watching the claim store, and reconciliation, which works while `is_owner` returns true:
  // in one process per channel. Opens the first connection to the provider.
  void StartTasks(std::function<bool()> is_owner);

  // Drops waiting records, waits for those in progress and ends the tasks. Returns true if all
  // deliveries ended before `deadline`. Blocks until all have ended. The loop must run.
  bool Stop(SteadyTime deadline);

  DeliveryPool& pool() { return pool_; }
  const PostLimiter& limiter() const { return limiter_; }
  const CallbackHandler& callback_handler() const { return callback_handler_; }
  DeliveryPool& callback_pool() { return callback_pool_; }
  DelayQueue& delay_queue() { return delay_queue_; }

 private:
  UnansweredCalls* CallsOf(v1::Channel channel, const Config& config);

  Scheduler& scheduler_;
  const ChannelAdapter& adapter_;
  LoopRecordLog log_;
  HistoryReader history_;
  UnansweredCalls unanswered_calls_;
  PostLimiter limiter_;
  DeliveryPipeline pipeline_;
  DeliveryPool pool_;
  CallbackHandler callback_handler_;
  DeliveryPool callback_pool_;
  DelayQueue delay_queue_;
  Reconciliation reconciliation_;
  TaskGroup tasks_;
};

}  // namespace tocsin::worker
