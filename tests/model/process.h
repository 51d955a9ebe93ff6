// A worker: production pipeline, relay and consumers' bookkeeping, on simulated ports.
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

#include "common/delivery/callback_desk.h"
#include "common/delivery/lane_picker.h"
#include "common/delivery/pipeline.h"
#include "common/delivery/relay.h"
#include "common/kafka/partition_progress.h"
#include "tests/model/broker.h"
#include "tests/model/fiber.h"
#include "tests/model/ports.h"

namespace tocsin::model {

struct World;

// Its life ends by Bury(): whatever it was doing is cut off at the call of a port, as kill -9 does.
class Process final : public Host, public std::enable_shared_from_this<Process> {
 public:
  Process(World& world, size_t number);
  ~Process() override;

  // Consumer: partitions come and go. `lost`: they went without its knowing.
  void Assign(const Place& place);
  void Revoke(const Place& place, bool lost);
  bool Owns(const Place& place) const { return assigned_.contains(place); }
  void PlanPoll(const Place& place);

  void Bury();
  bool Frozen() const;
  size_t Number() const { return number_; }

  // Host.
  void Sleep(Micros time) override;
  void MayFail() override;
  void Later(Micros wait, std::function<void()> event) override;

 private:
  struct Killed {};
  struct Item {
    IncomingRecord record;
    std::function<void()> finish;
  };
  struct Assigned {
    std::shared_ptr<kafka::PartitionProgress> progress =
        std::make_shared<kafka::PartitionProgress>();
    std::int64_t next = 0;
    std::int64_t begun = -1;
    WallTime since{};
  };

  void Poll(const Place& place);
  bool Hand(const Place& place, Assigned& assigned, const IncomingRecord& record);
  static IncomingRecord Inherited(IncomingRecord record, const Assigned& assigned);
  bool HandToLane(IncomingRecord&& record, std::function<void()> finish);
  bool HandToDesk(IncomingRecord&& record, std::function<void()> finish);
  bool HandToRelay(IncomingRecord&& record, std::function<void()> finish);
  void Dispatch();
  using Way = std::function<Result<Passage>(const IncomingRecord& record)>;
  void Deliver(const Item& item, const Way& way);
  void PlanDrive(Micros wait);
  void DriveRelay();
  void Finished();
  void PlanCommit();
  void Commit(const Place& place, const Assigned& assigned);
  void Spawn(std::function<void()> body);
  void Run(Fiber* fiber);
  IncomingRecord AsTheBugSeesIt(IncomingRecord record) const;

  World& world_;
  const size_t number_;
  bool dying_ = false;
  WallTime frozen_until_{};
  std::list<std::unique_ptr<Fiber>> fibers_;

  RegistrySource registry_;
  ConsentBook consents_;
  LogPort log_;
  ClaimsPort claims_;
  CarrierPort carrier_;
  RelayClock relay_clock_;
  HistoryPort history_;
  DeliveryPipeline pipeline_;
  CallbackDesk desk_;
  Relay relay_;

  std::map<Place, Assigned> assigned_;
  std::array<std::deque<Item>, kLanes> lanes_;
  LanePicker picker_;
  size_t busy_ = 0;
  size_t at_desk_ = 0;
  bool commit_planned_ = false;
  bool polls_planned_ = false;
  std::optional<WallTime> drive_at_;
};

}  // namespace tocsin::model
