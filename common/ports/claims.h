// Who may make a try, and what came of it: shared by all replicas, kept in Redis.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/base/time.h"
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

// Blocking calls, each bounded by the store's time-out (1 s). Safe to call from several threads.
// All fail with kRedisUnavailable when the store does not answer, is not the one this process began
// with, or lost its memory.
class Claims {
 public:
  virtual ~Claims() = default;

  virtual Result<Claim> Take(const ClaimRequest& request) = 0;

  // Gives the try back: its POST certainly did not begin. Acts only while `fence` still holds it.
  virtual Status Release(const v1::TryName& name, std::uint64_t fence) = 0;

  // Writes the outcome. ACCEPTED is taken under any fence and outranks IN_DOUBT and NOT_SENT; the
  // others only when the try has no outcome yet. A SID belongs to one try. Returns the outcome that
  // stands afterwards.
  virtual Result<v1::Receipt> Keep(const v1::TryName& name, std::uint64_t fence,
                                   const v1::Receipt& receipt) = 0;
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
