// Who may make a try when the claim store is away and only the log can say (pure).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "common/base/time.h"
#include "tocsin/v1/records.pb.h"

namespace tocsin {

// What the event SENDING of a try says that was begun without the store; the timeline shows it.
inline constexpr std::string_view kBegunByLog = "Redis was away: the log decided who sends it";

// Whether the claim store may not know of what the event tells: an event of an emergency that says
// how a try came out, or that it was begun by the log; and a mark, which a key pressed in a call
// can make without the store.
bool MayBeUnknownToStore(const v1::Event& event);

// The begin of the try in the log that comes first has it: as a claim until its lease is over.
// Folds the events of one alert, in their order, up to the begin of the asker's own.
class LogClaim {
 public:
  // Which begins count: where the store granted ours, those that it granted too are its matter.
  enum class Begins { kAll, kByLog };

  // `ours`: where our own SENDING stands.
  LogClaim(v1::TryName name, v1::Position ours, Begins begins)
      : name_(std::move(name)), ours_(std::move(ours)), begins_(begins) {}

  void Apply(const v1::Event& event, const v1::Position& position);

  enum class Verdict {
    kOurs,     // ours came first
    kBegun,    // another's did: until its lease is over it may be POSTing, then it is in doubt
    kDone,     // how it came out: `receipt`
    kStopped,  // the alert was cancelled or acknowledged before it began: `receipt` says which
    kUnread,   // our own begin was not among what was folded
  };
  Verdict verdict() const;

  const v1::Receipt& receipt() const { return receipt_; }
  WallTime began() const { return began_; }              // of the other
  WallTime lease_until() const { return lease_until_; }  // of the other

 private:
  void Stop(const v1::Event& event, std::string_view reason);

  v1::TryName name_;
  v1::Position ours_;
  Begins begins_;
  bool read_ = false;   // our own begin was seen
  bool begun_ = false;  // another's before it
  bool stopped_ = false;
  WallTime began_{};
  WallTime lease_until_{};
  v1::Receipt receipt_;
};

}  // namespace tocsin
