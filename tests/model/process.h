// A simulated worker: the production delivery pools, pipeline, callback handler, delay queue and
// offset tracking on simulated ports.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "common/async/scheduler.h"
#include "common/delivery/callback_handler.h"
#include "common/delivery/delay_queue.h"
#include "common/delivery/delivery_pool.h"
#include "common/delivery/pipeline.h"
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
  void Assign(const Place& place);
  void Revoke(const Place& place, bool lost);
  bool IsAssigned(const Place& place) const { return assigned_.contains(place); }
  void SchedulePoll(const Place& place);

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
  struct Assigned {
    std::shared_ptr<kafka::PartitionProgress> progress =
        std::make_shared<kafka::PartitionProgress>();
    std::int64_t next = 0;
    std::int64_t last_begun = -1;
    WallTime assign_time{};
  };

  void Poll(const Place& place);
  bool Offer(const Place& place, Assigned& assigned, const IncomingRecord& record);
  static IncomingRecord WithAssignment(IncomingRecord record, const Assigned& assigned);
  bool OfferToLane(IncomingRecord&& record, std::function<void()> finish);
  bool OfferToCallbackHandler(IncomingRecord&& record, std::function<void()> finish);
  void OnFinished();
  void ScheduleCommit();
  void Commit(const Place& place, const Assigned& assigned);
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
  ProviderPort provider_;
  DelayQueueClock delay_queue_clock_;
  HistoryPort history_;
  DeliveryProbe probe_;
  DeliveryPipeline pipeline_;
  CallbackHandler callback_handler_;
  DelayQueue delay_queue_;
  DeliveryPool pool_;
  DeliveryPool callback_pool_;
  WatchScheduler watch_scheduler_{*this};
  TaskGroup tasks_;

  std::map<Place, Assigned> assigned_;
  bool commit_scheduled_ = false;
  bool polls_scheduled_ = false;
};

}  // namespace tocsin::model
