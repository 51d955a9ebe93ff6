// A simulated worker: the production pipeline, callback handler, delay queue and offset tracking on
// simulated ports.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/delivery/callback_handler.h"
#include "common/delivery/delay_queue.h"
#include "common/delivery/pipeline.h"
#include "common/delivery/weighted_scheduler.h"
#include "common/kafka/partition_progress.h"
#include "tests/model/broker.h"
#include "tests/model/fiber.h"
#include "tests/model/ports.h"

namespace tocsin::model {

struct Simulation;

// It ends by Kill(): everything in progress ends at its current use of a port, as after kill -9.
class Process final : public Host, public std::enable_shared_from_this<Process> {
 public:
  Process(Simulation& simulation, size_t number);
  ~Process() override;

  // Consumer. `lost`: the process does not know of the revocation.
  void Assign(const Place& place);
  void Revoke(const Place& place, bool lost);
  bool IsAssigned(const Place& place) const { return assigned_.contains(place); }
  void SchedulePoll(const Place& place);

  void Kill();
  bool Frozen() const;
  size_t Number() const { return number_; }

  // Host.
  void Sleep(Micros time) override;
  void MayFail() override;
  void Later(Micros delay, std::function<void()> event) override;

 private:
  struct Killed {};  // thrown through the fibers
  struct Item {
    IncomingRecord record;
    std::function<void()> finish;
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
  bool OfferToDelayQueue(IncomingRecord&& record, std::function<void()> finish);
  void StartSenders();
  using DeliverFunction = std::function<Result<DeliveryResult>(const IncomingRecord& record)>;
  void Deliver(const Item& item, const DeliverFunction& deliver);
  void ScheduleDrive(Micros delay);
  void DriveDelayQueue();
  void OnFinished();
  void ScheduleCommit();
  void Commit(const Place& place, const Assigned& assigned);
  void Spawn(std::function<void()> body);
  void Run(Fiber* fiber);
  IncomingRecord ApplyTimeBug(IncomingRecord record) const;

  Simulation& simulation_;
  const size_t number_;
  bool killed_ = false;
  WallTime frozen_until_{};
  std::list<std::unique_ptr<Fiber>> fibers_;

  RegistrySource registry_;
  ConsentBook consents_;
  LogPort log_;
  ClaimsPort claims_;
  ProviderPort provider_;
  DelayQueueClock delay_queue_clock_;
  HistoryPort history_;
  DeliveryProbe probe_;
  DeliveryPipeline pipeline_;
  CallbackHandler callback_handler_;
  DelayQueue delay_queue_;

  std::map<Place, Assigned> assigned_;
  std::array<std::deque<Item>, kLanes> lanes_;
  WeightedScheduler scheduler_;
  size_t busy_ = 0;
  size_t callbacks_in_progress_ = 0;
  bool commit_scheduled_ = false;
  bool polls_scheduled_ = false;
  std::optional<WallTime> drive_at_;
};

}  // namespace tocsin::model
