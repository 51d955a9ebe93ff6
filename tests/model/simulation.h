// One run: clients, an ingress, a broker, a claim store, a provider and some workers, in virtual
// time.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/domain/registry/registry.h"
#include "common/ports/topics.h"
#include "tests/fakes/claims.h"
#include "tests/fakes/pacer.h"
#include "tests/fakes/vault.h"
#include "tests/model/broker.h"
#include "tests/model/calls.h"
#include "tests/model/checker.h"
#include "tests/model/faults.h"
#include "tests/model/ingress.h"
#include "tests/model/provider.h"
#include "tests/model/timeline.h"

namespace tocsin::model {

class Process;

struct Simulation {
  Simulation(std::uint64_t seed, Bug planted);
  ~Simulation();

  void Run();

  // Whether a fault of this rate occurs now. None occurs after `faults_until`.
  bool Occurs(double rate) { return timeline.Now() < faults_until && dice.Chance(rate); }
  void OnKilled(size_t number);
  void OnFrozen(size_t number, Micros time);
  void ApplyRetryBug(OutgoingRecord& record) const;
  bool IsLostByBug(const OutgoingRecord& record) const;

  Timeline timeline;
  Dice dice;
  Dice plan_dice;  // of plans: runs without one do not depend on them
  Faults faults;
  Telephone telephone;
  const Bug bug;
  const Topics topics;
  const std::vector<v1::Channel> channels;  // of the alerts of this run
  Broker broker{timeline, dice, topics};
  Checker checker{timeline, topics};
  FakeClaims store{timeline};
  FakeClaims other_store{timeline};  // empty; responds while the store is replaced
  FakePacer pacer{timeline};
  FakeVault vault;
  SimulatedProvider provider{*this};
  std::shared_ptr<const RegistrySnapshot> registry;
  std::unique_ptr<Ingress> ingress;
  const bool with_plans;  // of some alerts
  bool store_replaced = false;
  bool ingress_keeps_store = false;  // only the workers lose it
  bool IngressHasStore() const { return !store_replaced || ingress_keeps_store; }
  WallTime faults_until;
  std::map<std::string, std::uint64_t> newest_fence;  // by AttemptText()

 private:
  std::string NewId();
  void RestoreDeadline(OutgoingRecord& record) const;
  records::v1::WorkRecord AnAlert();
  records::v1::WorkRecord APlannedAlert();
  void ScheduleAlert();
  void ScheduleActions(const records::v1::WorkRecord& work);
  void SchedulePlanActions(const records::v1::WorkRecord& work);
  void ScheduleStoreReplacement();
  void Subscribe(const std::string& topic, v1::Channel group);
  void OnAppend(const Partition& partition, const IncomingRecord& record);
  void Start(size_t number);
  void Rebalance();

  std::deque<Subscription> subscriptions_;
  std::vector<std::shared_ptr<Process>> processes_;
};

struct Outcome {
  std::vector<std::string> violations;
  std::vector<std::string> trace;  // if requested
  Counts counts;
};

Outcome RunSeed(std::uint64_t seed, Bug bug = Bug::kNone, bool trace = false);

}  // namespace tocsin::model
