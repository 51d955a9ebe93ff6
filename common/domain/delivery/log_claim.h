// Decides from the events in Kafka who may make an attempt while the claim store is unavailable
// (pure).
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/time.h"
#include "common/domain/plan/plan.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin {

// Note of the SENDING event of an attempt that started without the claim store. Shown in the
// timeline.
inline constexpr std::string_view kStartedByLog = "claimed by Kafka order, Redis was unavailable";

// Whether the claim store may lack what the event shows: the result of an emergency's attempt, a
// start without the store, or a mark, which a key press can make without the store.
bool MayBeUnknownToStore(const records::v1::Event& event);

// The first SENDING event of an attempt in Kafka holds the claim until its lease expires. Apply the
// events of one alert in order, up to the caller's own SENDING event.
class LogClaim {
 public:
  // Which starts of others count. If the store granted our claim, it has already decided between us
  // and every other claim it granted; then only starts without the store (kByLog) count.
  enum class Starts { kAll, kByLog };

  // `ours`: position of the caller's own SENDING event. `plan`: of the attempt, if it has one.
  LogClaim(v1::AttemptRef name, records::v1::Position ours, Starts starts,
           std::optional<PlanCondition> plan = {})
      : name_(std::move(name)), ours_(std::move(ours)), starts_(starts), plan_(std::move(plan)) {}

  void Apply(const records::v1::Event& event, const records::v1::Position& position);

  enum class Verdict {
    kOurs,     // our start is the first
    kStarted,  // another start is the first: its POST may be in progress until its lease expires;
               // after that the attempt is in doubt
    kDone,     // the attempt has a result: result()
    kStopped,  // the alert was cancelled or acknowledged before, or its plan stops it: result()
    kUnread,   // our own start was not among the events
  };
  Verdict verdict() const;

  const records::v1::AttemptResult& result() const { return result_; }
  WallTime began() const { return began_; }              // of the other start
  WallTime lease_until() const { return lease_until_; }  // of the other start

 private:
  void ApplyAcknowledgement(const records::v1::Event& event);
  void StopPerson(const records::v1::Event& event, const std::string& person);
  void Stop(const records::v1::Event& event, std::string_view reason);

  v1::AttemptRef name_;
  records::v1::Position ours_;
  Starts starts_;
  std::optional<PlanCondition> plan_;
  std::set<std::string> persons_;  // of the plan who acknowledged
  bool read_ = false;              // our own start was applied
  bool started_ = false;           // another start was applied before it
  bool stopped_ = false;
  WallTime began_{};
  WallTime lease_until_{};
  records::v1::AttemptResult result_;
};

}  // namespace tocsin
