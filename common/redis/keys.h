// Keys of Tocsin's state in Redis, and the formats of what is stored there.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "common/base/time.h"
#include "common/domain/delivery/in_doubt.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin::redis {

class Keys {
 public:
  explicit Keys(std::string prefix) : prefix_(std::move(prefix) + ":") {}

  std::string Epoch() const { return prefix_ + "epoch"; }
  // The value of EpochTracker::RestoredMarker() if the claims are restored.
  std::string Restored() const { return prefix_ + "restored"; }
  // The same for acceptances.
  std::string AcceptancesRestored() const { return prefix_ + "acceptances_restored"; }
  // "<start of the recent window, us of UTC> <RestoredMarker()>" if the claims since then are
  // restored.
  std::string RecentRestored() const { return prefix_ + "recent_restored"; }
  // Token of the process that restores claims.
  std::string RestoreLease() const { return prefix_ + "restore_lease"; }
  // Written by PingScript().
  std::string Probe() const { return prefix_ + "probe"; }
  // Hash: process -> number of writes confirmed to it.
  std::string WriteCounts() const { return prefix_ + "write_counts"; }
  // Hash: state of an alert and its attempts.
  std::string AlertPrefix() const { return prefix_ + "alert:"; }
  std::string Alert(std::string_view alert_id) const { return AlertPrefix().append(alert_id); }
  // Name of the attempt that the SID belongs to; " list" follows if a list assigned it.
  std::string SidPrefix() const { return prefix_ + "sid:"; }
  std::string Sid(std::string_view sid) const { return SidPrefix().append(sid); }
  // Sorted sets of unreconciled attempts, by the time of their next lookup: names of those without
  // a final status, and of those that lack only their price.
  std::string Unreconciled(v1::Channel channel) const;
  std::string Unpriced(v1::Channel channel) const;
  // Set: names of attempts with the same DuplicateKey() (raw bytes).
  std::string Duplicates(std::string_view duplicate_key) const;
  // Alert id of an idempotency key. `digest`: raw bytes.
  std::string Idempotency(std::string_view digest) const;
  // Hash: alert id -> AckCodeText() of the alerts that a reply of this recipient acknowledges.
  // `token`: raw bytes.
  std::string AckCodes(std::string_view token) const;
  // Theoretical arrival time of a sender or an account.
  std::string Rate(std::string_view key) const { return (prefix_ + "rate:").append(key); }

 private:
  std::string prefix_;
};

// How long the state of an alert is kept after its expire time.
constexpr std::chrono::hours kRetention{48};
// Upper bound of the life of an alert's state, for state whose expire time is unknown.
constexpr std::chrono::milliseconds kMaxLife = std::chrono::days(7) + kRetention;

// When the state of an alert expires, in ms of UTC.
std::string ExpiryText(WallTime expire_time);

std::string ProofText(Proof proof);

// "1" or "0".
std::string FlagText(bool flag);
// The argument of set_end() in prologue.lua: "0", "1" or "delivered".
std::string EndText(bool ended, bool delivered);

// The argument of set_reach() in prologue.lua: "delivered", "human" or "".
std::string ReachText(const records::v1::AttemptResult& result);

// The channel of an accepted attempt, by its SID; SMS without one.
v1::Channel ChannelOf(const records::v1::AttemptResult& result);

// When, how and by whom an alert was cancelled, acknowledged or declined. A link, key press or
// reply has step and evidence, other methods may have an actor.
struct MarkValue {
  WallTime time;
  v1::AcknowledgementMethod method = v1::ACKNOWLEDGEMENT_METHOD_UNSPECIFIED;
  std::string actor_id = {};
  std::int32_t step = 0;
  std::string evidence = {};
};
std::string MarkText(const MarkValue& mark);
MarkValue ParseMark(std::string_view text);  // missing parts keep their defaults

// "<code> <step> <expire time, us of UTC>": how a reply finds an alert.
std::string AckCodeText(const v1::AttemptRef& attempt, std::string_view code, WallTime expire_time);

// "<step>.<attempt>": prefix of the attempt's fields in the hash of its alert.
std::string FieldPrefix(const v1::AttemptRef& attempt);
// "<alert id>.<step>.<attempt>": the name of an attempt.
std::string AttemptName(const v1::AttemptRef& attempt);
v1::AttemptRef ParseAttemptName(std::string_view name);

}  // namespace tocsin::redis
