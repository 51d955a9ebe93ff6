// One run: callers, a broker, a claims store, a carrier and some workers, in virtual time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/domain/registry.h"
#include "common/domain/topics.h"
#include "common/ports/carrier.h"
#include "common/ports/taken_list.h"
#include "tests/fakes/claims.h"
#include "tests/fakes/pacer.h"
#include "tests/fakes/vault.h"
#include "tests/model/books.h"
#include "tests/model/broker.h"
#include "tests/model/faults.h"
#include "tests/model/timeline.h"

namespace tocsin::model {

class Process;
struct World;

// Twilio's stand-in beyond the POST: what it took, and what it tells of it.
class CarrierSide {
 public:
  explicit CarrierSide(World& world) : world_(world) {}
  std::string Take(const Dispatch& dispatch);  // the SID
  std::vector<TakenEntry> List(const TakenQuery& query, Micros lag) const;

 private:
  void CallBack(v1::WebhookRecord callback);
  void Arrive(v1::WebhookRecord callback);

  struct Taken {
    std::string to;
    std::string sender;
    TakenEntry entry;
  };
  World& world_;
  std::vector<Taken> taken_;
};

struct World {
  World(std::uint64_t seed, Bug planted);
  ~World();

  void Run();

  // Whether a fault of this rate strikes now; none does once the run is to come to rest.
  bool Strikes(double rate) { return timeline.Now() < calm_from && dice.Chance(rate); }
  void ProcessDied(size_t number);
  void ProcessFroze(size_t number, Micros time);
  void SpoilFollowUp(OutgoingRecord& record) const;

  Timeline timeline;
  Dice dice;
  Faults faults;
  const Bug bug;
  const Topics topics;
  const std::vector<std::string> lanes = topics.Lanes(v1::CHANNEL_SMS);  // emergency first
  Broker broker{timeline};
  Books books{timeline, topics};
  FakeClaims store{timeline};
  FakeClaims stranger{timeline};  // empty; answers while the store is exchanged
  FakePacer pacer{timeline};
  FakeVault vault;
  CarrierSide carrier{*this};
  std::shared_ptr<const RegistrySnapshot> registry;
  bool exchanged = false;
  WallTime calm_from;
  std::map<std::string, std::uint64_t> newest_fence;  // by alert_id.step.try

 private:
  v1::WorkRecord AnAlert();
  void PlanAlert();
  void PlanExchange();
  void Cancel(const std::string& alert_id);
  void Start(size_t number);
  void Rebalance();

  std::vector<Place> places_;
  std::vector<std::shared_ptr<Process>> processes_;
};

struct Outcome {
  std::vector<std::string> violations;
  std::vector<std::string> story;  // when it was asked for
  Counts counts;
};

Outcome RunSeed(std::uint64_t seed, Bug bug = Bug::kNone, bool story = false);

}  // namespace tocsin::model
