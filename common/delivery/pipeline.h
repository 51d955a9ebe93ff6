// The way of a work record: clear, pace, claim, say so, POST, keep the receipt, settle; and of a
// look: look, settle or look again.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <semaphore>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/delivery/doubt_look.h"
#include "common/delivery/recent.h"
#include "common/delivery/try_claims.h"
#include "common/domain/clearance.h"
#include "common/domain/settlement.h"
#include "common/domain/topics.h"
#include "common/ports/carrier.h"
#include "common/ports/claims.h"
#include "common/ports/clock.h"
#include "common/ports/record_history.h"
#include "common/ports/record_log.h"
#include "common/ports/registry_source.h"
#include "common/ports/taken_list.h"
#include "common/ports/vault.h"

namespace tocsin {

struct DeliverySettings {
  std::string owner;                             // this process, for people who read a claim
  Micros post_limit = std::chrono::seconds(30);  // one POST, at most
  Micros lease = std::chrono::seconds(35);       // POST limit and 5 s for what is around it
  double pace = 0.8;  // of the carrier's rate, so that its queue stays short
  RetryPolicy retry{};
  // Told when the carrier took a step's first try: how long after its acceptance, or after it fell
  // due. Called on sender threads; must not block.
  std::function<void(v1::AlertClass alert_class, Micros waited)> handed_over = [](v1::AlertClass,
                                                                                  Micros) {};
  // A look could not read the carrier's list. Called on sender threads; must not block.
  std::function<void(const Error&)> list_failed = [](const Error&) {};
};

// How a record left the pipeline, for metrics.
enum class Passage {
  kSent,        // Twilio has it
  kFailed,      // a try ended without success; a follow-up may have been published
  kInDoubt,     // its POST may have been taken
  kEnded,       // a rule ended it before its POST
  kWaits,       // it is not its turn yet: handed to the relay
  kUnreadable,  // not a work record: kept among the dead
  kLooksAgain,  // a doubt stays open
  kSettledByCallback,
  kSettledByList,
  kSettledByPolicy,  // a doubt that nothing proves: the class's policy decided
  kNoted,            // what a callback tells was taken in
};
std::string_view NameOf(Passage passage);  // lower_snake, for metrics
inline constexpr std::array kPassages{Passage::kSent,          Passage::kFailed,
                                      Passage::kInDoubt,       Passage::kEnded,
                                      Passage::kWaits,         Passage::kUnreadable,
                                      Passage::kLooksAgain,    Passage::kSettledByCallback,
                                      Passage::kSettledByList, Passage::kSettledByPolicy,
                                      Passage::kNoted};

// Carries work of one channel. Holds nothing of a record when it is done; safe to call from several
// threads. While the claim store is away, or restores its memory, only emergencies go: the log
// decides who makes a try (LogClaim). The parts it is given must outlive it.
class DeliveryPipeline {
 public:
  struct Parts {
    const Clock& clock;
    const RegistrySource& registry;
    ConsentBook& consents;
    Claims& claims;
    Pacer& pacer;
    Vault& vault;
    Carrier& carrier;
    TakenList& list;
    RecordLog& log;
    RecordHistory& history;
    const Topics& topics;
  };

  DeliveryPipeline(v1::Channel channel, Parts parts, DeliverySettings settings);

  // Brings the record to where its offset may be stored: everything that follows from it is on
  // disk. Blocks, post_limit and a few store time-outs at most. An error means that a neighbour did
  // not answer: nothing was lost, and the same record is to be given again.
  Result<Passage> Deliver(const IncomingRecord& record);

 private:
  struct Try;  // what one passage knows

  Result<Passage> Look(Try& attempt);
  Result<Passage> BuryUnreadable(const IncomingRecord& record);
  Result<Passage> Wait(Try& attempt, WallTime due);
  Result<Passage> End(Try& attempt, const v1::Receipt& verdict);
  Result<Passage> Send(Try& attempt, const ClearedTry& cleared);
  Result<Passage> Begin(Try& attempt, const ClearedTry& cleared, v1::Content content);
  Result<Passage> WaitForStore(Try& attempt, const Error& error);
  Result<Passage> GiveBack(const Try& attempt, const Claim& claim, Error why);
  Result<Passage> FollowLog(Try& attempt, const Claim& claim, const LogClaim& told);
  Result<Passage> FollowClaim(Try& attempt, const Claim& claim);
  Result<Passage> FollowLapsed(Try& attempt, const Claim& claim);
  v1::Receipt DoubtOf(const Try& attempt, WallTime began) const;
  Result<Passage> Post(Try& attempt, const ClearedTry& cleared, const Claim& claim,
                       v1::Content content);
  void TellHandedOver(const v1::WorkRecord& work, const v1::Receipt& receipt) const;
  Settlement SettlementOf(const Try& attempt, const v1::Receipt& receipt) const;
  Status PublishAll(const Try& attempt, const Settlement& settlement);
  Result<Passage> Record(Try& attempt, const v1::Receipt& receipt);
  Result<Passage> RecordUnkept(Try& attempt, const v1::Receipt& receipt);
  Result<Passage> Publish(Try& attempt, const v1::Receipt& receipt, const Settlement& settlement);
  Status PassOn(const Try& attempt, const v1::WorkRecord& next);

  const v1::Channel channel_;
  const Parts parts_;
  const DeliverySettings settings_;
  DoubtLook look_;
  TryClaims claims_;
  std::counting_semaphore<> lookups_{4};  // of lapsed claims, at a time
  Recent<v1::Receipt> unkept_{1000};      // by try: outcomes that neither store nor log has yet
};

}  // namespace tocsin
