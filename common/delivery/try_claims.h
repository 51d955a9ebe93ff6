// Who makes a try: the claim store decides, or the log where the store cannot answer.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/delivery/recent.h"
#include "common/delivery/store_watch.h"
#include "common/domain/log_claim.h"
#include "common/domain/registry.h"
#include "common/domain/topics.h"
#include "common/ports/claims.h"
#include "common/ports/clock.h"
#include "common/ports/record_history.h"
#include "common/ports/record_log.h"

namespace tocsin {

// When the claim store was silent for so long, emergencies go without it; when it answered for so
// long, the log was told to it.
constexpr Micros kStoreAway = std::chrono::seconds(1);
constexpr Micros kStoreTrusted = std::chrono::seconds(10);

// A claim that no store granted has no fence: its begin in the log decides.
inline bool IsByLog(const Claim& claim) { return claim.fence == 0; }

// Claims of one channel's tries. Blocks as the store and the log do; safe to call from several
// threads. The parts must outlive it.
class TryClaims {
 public:
  struct Parts {
    const Clock& clock;
    Claims& store;
    RecordLog& log;
    RecordHistory& history;
    const Topics& topics;
  };

  // `owner`: this process, for people who read a claim. `lease`: how long a claim holds.
  TryClaims(Parts parts, std::string owner, Micros lease)
      : parts_(parts), owner_(std::move(owner)), lease_(lease), watch_(parts.clock.SteadyNow()) {}

  // Else the store may have forgotten that the try was begun.
  bool Knows(const v1::WorkRecord& work) const;

  // Claims the try at the store: to send it, or to end it by `verdict`. `bytes`: the work as it
  // came.
  Result<Claim> Take(const v1::WorkRecord& work, const std::string& bytes,
                     std::optional<v1::Receipt> verdict);
  // To send it; an emergency that the store cannot answer for gets a claim by the log.
  Result<Claim> TakeToSend(const v1::WorkRecord& work, const std::string& bytes);

  // Says that the try begins, and where that stands in the log.
  Result<v1::Position> TellBegin(const IncomingRecord& record, const v1::WorkRecord& work,
                                 const Sender& sender, const Claim& claim);
  // Nothing left the house: the try may be claimed again.
  Status GiveBack(const v1::WorkRecord& work, const Claim& claim);

  // Whether the log may tell of a begin that the store was not told of yet.
  bool LogMayKnowMore(const IncomingRecord& record, const v1::WorkRecord& work,
                      const Claim& claim) const;
  // Whether a reading of the log that fails may be done without.
  bool StoreSuffices(const Claim& claim) const;
  // What the log says to a claim whose begin stands at `begun`.
  Result<LogClaim> AskLog(const v1::WorkRecord& work, const Claim& claim, const v1::Position& begun,
                          SteadyTime deadline);
  // Whether the holder of a claim that lapsed had told of its begin: else it made no POST.
  Result<bool> WasBegun(const v1::WorkRecord& work, const Claim& claim);

  Result<v1::Receipt> Keep(const v1::WorkRecord& work, const Claim& claim,
                           const v1::Receipt& receipt);
  // Tells the store of another's begin that the log told of.
  Status TellStore(const v1::WorkRecord& work, const LogClaim& told);

  // Whether the error says that the store is silent, and it has been for a while.
  bool IsAway(const Error& error);

 private:
  // Tells the watch how a call of the store went.
  void Watch(const std::optional<Error>& error);

  const Parts parts_;
  const std::string owner_;
  const Micros lease_;
  StoreWatch watch_;
  Recent<bool> given_back_{1000};  // begins of ours that no POST followed
};

}  // namespace tocsin
