// A simulated process: the production delivery pools, pipelines, callback handlers, delay queue and
// offset tracking of the workers of all channels of the run, on simulated ports.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/async/scheduler.h"
#include "common/delivery/callback_handler.h"
#include "common/delivery/delay_queue.h"
#include "common/delivery/delivery_pool.h"
#include "common/delivery/pipeline.h"
#include "common/delivery/unanswered_calls.h"
#include "common/kafka/partition_progress.h"
#include "tests/model/broker.h"
#include "tests/model/ports.h"

namespace tocsin::model {

struct Simulation;

// One event loop with many deliveries in progress; the order in which their ports respond is drawn
// from the seed. Its destruction is a kill -9: everything in progress ends where it waits.
class Process final : public Host, public Scheduler, public std::enable_shared_from_this<Process> {
 public:
  Process(Simulation& simulation, size_t number);
  ~Process() override;

  void Start();  // once, when it is owned by a shared_ptr

  // Consumer. `lost`: the process does not know of the revocation.
  void Assign(Subscription& subscription);
  void Revoke(const Subscription& subscription, bool lost);
  bool IsAssigned(const Subscription& subscription) const {
    return assigned_.contains(subscription.number);
  }
  void SchedulePoll(const Subscription& subscription);

  // A consent is in the log.
  void ReadConsent(const IncomingRecord& record);

  bool Frozen() const;

  // Host.
  Task<void> Sleep(Micros time) override;
  Task<void> MayFail() override;
  bool Crashes() override;
  void Later(Micros delay, std::function<void()> event) override;

  // Scheduler.
  void Post(std::function<void()> event) override { Later(Micros(0), std::move(event)); }
  void After(Micros delay, std::function<void()> event) override { Later(delay, std::move(event)); }

 private:
  // Ends the watch of the store some time after the last fault, so that the run ends.
  class WatchScheduler final : public Scheduler {
   public:
    explicit WatchScheduler(Process& process) : process_(process) {}
    void Post(std::function<void()> event) override { process_.Post(std::move(event)); }
    void After(Micros delay, std::function<void()> event) override;

   private:
    Process& process_;
  };
  // The worker of one channel.
  struct Worker {
    Worker(Process& process, v1::Channel its_channel);
    // The voice worker ends the calls of all plans.
    UnansweredCalls* CallsToEnd() {
      return channel == v1::CHANNEL_VOICE ? &unanswered_calls : nullptr;
    }

    const v1::Channel channel;
    const std::vector<std::string> lanes;  // emergency first
    ProviderPort provider;
    UnansweredCalls unanswered_calls;
    PostLimiter limiter;
    DeliveryPipeline pipeline;
    CallbackHandler callback_handler;
    DeliveryPool pool;
    DeliveryPool callback_pool;
  };
  struct Assigned {
    Subscription* subscription = nullptr;
    std::shared_ptr<kafka::PartitionProgress> progress =
        std::make_shared<kafka::PartitionProgress>();
    std::int64_t next = 0;
    std::int64_t last_begun = -1;
    WallTime assign_time{};
  };

  void Poll(Assigned& assigned);
  bool Offer(Assigned& assigned, const IncomingRecord& record);
  static IncomingRecord WithAssignment(IncomingRecord record, const Assigned& assigned);
  Worker& WorkerOf(v1::Channel channel) const;
  bool OfferToLane(Worker& worker, IncomingRecord&& record, std::function<void()> finish) const;
  static bool OfferToCallbackHandler(Worker& worker, IncomingRecord&& record,
                                     std::function<void()> finish);
  void OnFinished();
  void ScheduleCommit();
  void Commit(const Assigned& assigned);
  IncomingRecord ApplyTimeBug(IncomingRecord record) const;

  Simulation& simulation_;
  const size_t number_;
  bool crashed_ = false;
  WallTime frozen_until_{};

  RegistrySource registry_;
  ConsentBook consents_;
  LogPort log_;
  LogPort delay_queue_log_;
  ClaimsPort claims_;
  DelayQueueClock delay_queue_clock_;
  HistoryPort history_;
  DeliveryProbe probe_;
  DelayQueue delay_queue_;
  std::vector<std::unique_ptr<Worker>> workers_;
  WatchScheduler watch_scheduler_{*this};
  TaskGroup tasks_;

  std::map<size_t, Assigned> assigned_;  // by number of the subscription
  bool commit_scheduled_ = false;
  bool polls_scheduled_ = false;
};

}  // namespace tocsin::model
