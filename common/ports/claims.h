// Who may make a try, and what came of it: shared by all replicas, kept in Redis.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/domain/known_try.h"
#include "tocsin/v1/records.pb.h"

namespace tocsin {

// A wish to make one try.
struct ClaimRequest {
  v1::TryName name;
  std::string client_id;
  std::string owner;               // this process and thread, for people
  Micros lease{};                  // POST limit and 5 s
  std::optional<v1::Receipt> end;  // the verdict, when a rule ends the try before its POST
  std::string work;                // the sealed work record, kept for settlement
  std::string twins = {};          // TwinsOf(work)
  WallTime not_after;              // state lives until 48 h after it
};

// What the store says to it. What was begun outranks a verdict.
struct Claim {
  enum class State {
    kGranted,  // ours until the lease ends; `fence` names this holding
    kDone,     // the try has its outcome: `receipt`
    kBusy,     // another holds it; `lease_left` until it may be judged
    kLapsed,   // its holder never said what came of it: in doubt
    kStopped,  // the alert was cancelled or acknowledged before this try began: `receipt` says
               // which
  };
  State state = State::kBusy;
  std::uint64_t fence = 0;
  WallTime began;  // the store's time when the holding began
  Micros lease_left{};
  v1::Receipt receipt;
};

// What one look found of a try in doubt.
struct DoubtRequest {
  v1::TryName name;
  std::string twins = {};               // as in ClaimRequest
  std::vector<v1::Receipt> found;       // ACCEPTED, one for each entry that may be this try
  std::optional<v1::Receipt> unproven;  // the end to keep when nothing proves it: time is up
  WallTime not_after;                   // state lives until 48 h after it
};

// Blocking calls, each bounded by the store's time-out (1 s). Safe to call from several threads.
// All fail with kRedisUnavailable when the store does not answer, is not the one this process began
// with, or lost its memory.
class Claims {
 public:
  virtual ~Claims() = default;

  virtual Result<Claim> Take(const ClaimRequest& request) = 0;

  // Gives the try back: its POST certainly did not begin. Acts only while `fence` still holds it.
  virtual Status Release(const v1::TryName& name, std::uint64_t fence) = 0;

  // Writes the outcome. ACCEPTED is taken under any fence and outranks what proves less (ProofOf);
  // the others only when the try has no outcome yet. A SID belongs to one try; one that a list gave
  // to another try goes to the try that a callback or an answer names. Returns the outcome that
  // stands afterwards.
  virtual Result<v1::Receipt> Keep(const v1::TryName& name, std::uint64_t fence,
                                   const v1::Receipt& receipt) = 0;

  // Settles a doubt, or nothing while it stays open. What stands already is returned first. Then
  // entries that no try owns are shared out among all open doubts with the same `twins`: while
  // there are fewer of them than doubts, or a twin's POST is under way, nobody gets one before the
  // time is up. Then whoever asks first gets what is left, and the rest ends as `unproven` says.
  virtual Result<std::optional<v1::Receipt>> Settle(const DoubtRequest& request) = 0;

  // Takes in what the log knows of a try: what was done while the store was away. Nothing that is
  // known already is replaced by what proves less.
  virtual Status Learn(const KnownTry& known) = 0;

  // The work record kept when the step's newest try was claimed; nothing when it is another try's.
  virtual Result<std::optional<std::string>> Work(const v1::TryName& name) = 0;

  // Work whose tries may be older than this (KnownFrom) may have been begun and forgotten: it
  // waits. Never blocks.
  virtual WallTime KnownSince() const = 0;
};

// A turn at a sender's rate (GCRA), shared by all replicas.
class Pacer {
 public:
  virtual ~Pacer() = default;

  // The time of the turn for `segments` units at `units_per_second`, which is taken unless it lies
  // after `latest`. Blocks as Claims does. A turn in the past means: now.
  virtual Result<WallTime> TakeTurn(const std::string& sender, double units_per_second,
                                    unsigned segments, WallTime latest) = 0;
};

}  // namespace tocsin
