// One run: clients, a broker, a claim store, a provider and some workers, in virtual time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/domain/registry/registry.h"
#include "common/ports/provider.h"
#include "common/ports/provider_list.h"
#include "common/ports/topics.h"
#include "tests/fakes/claims.h"
#include "tests/fakes/pacer.h"
#include "tests/fakes/vault.h"
#include "tests/model/broker.h"
#include "tests/model/checker.h"
#include "tests/model/faults.h"
#include "tests/model/timeline.h"

namespace tocsin::model {

class Process;
struct Simulation;

// The simulated provider: accepts messages, lists them and sends callbacks.
class SimulatedProvider {
 public:
  explicit SimulatedProvider(Simulation& simulation) : simulation_(simulation) {}
  std::string Accept(const Dispatch& dispatch);  // returns the SID
  std::vector<ProviderListEntry> List(const ProviderListQuery& query, Micros lag) const;

 private:
  void ScheduleCallback(records::v1::WebhookRecord callback);
  void Deliver(records::v1::WebhookRecord callback);

  struct Message {
    std::string to;
    std::string sender;
    ProviderListEntry entry;
  };
  Simulation& simulation_;
  std::vector<Message> messages_;
};

struct Simulation {
  Simulation(std::uint64_t seed, Bug planted);
  ~Simulation();

  void Run();

  // Whether a fault of this rate occurs now. None occurs after `faults_until`.
  bool Occurs(double rate) { return timeline.Now() < faults_until && dice.Chance(rate); }
  void OnKilled(size_t number);
  void OnFrozen(size_t number, Micros time);
  void ApplyRetryBug(OutgoingRecord& record) const;

  Timeline timeline;
  Dice dice;
  Faults faults;
  const Bug bug;
  const Topics topics;
  const std::vector<std::string> lanes = topics.Lanes(v1::CHANNEL_SMS);  // emergency first
  Broker broker{timeline, dice, topics};
  Checker checker{timeline, topics};
  FakeClaims store{timeline};
  FakeClaims other_store{timeline};  // empty; responds while the store is replaced
  FakePacer pacer{timeline};
  FakeVault vault;
  SimulatedProvider provider{*this};
  std::shared_ptr<const RegistrySnapshot> registry;
  bool store_replaced = false;
  WallTime faults_until;
  std::map<std::string, std::uint64_t> newest_fence;  // by AttemptText()

 private:
  records::v1::WorkRecord AnAlert();
  void ScheduleAlert();
  void ScheduleStoreReplacement();
  void Cancel(const std::string& alert_id);
  void Start(size_t number);
  void Rebalance();

  std::vector<Place> places_;
  std::vector<std::shared_ptr<Process>> processes_;
};

struct Outcome {
  std::vector<std::string> violations;
  std::vector<std::string> trace;  // if requested
  Counts counts;
};

Outcome RunSeed(std::uint64_t seed, Bug bug = Bug::kNone, bool trace = false);

}  // namespace tocsin::model
