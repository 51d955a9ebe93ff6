// The names under which Tocsin's state lies in Redis.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "common/base/time.h"
#include "common/domain/doubt.h"
#include "tocsin/v1/types.pb.h"

namespace tocsin::redis {

class Keys {
 public:
  explicit Keys(std::string prefix) : prefix_(std::move(prefix) + ":") {}

  std::string Epoch() const { return prefix_ + "epoch"; }
  std::string Whole() const { return prefix_ + "whole"; }  // WholeMark()
  std::string Tide() const { return prefix_ + "tide"; }    // hash: process -> promises made to it
  std::string AlertPrefix() const { return prefix_ + "alert:"; }
  std::string Alert(std::string_view alert_id) const { return AlertPrefix().append(alert_id); }
  std::string SidPrefix() const { return prefix_ + "sid:"; }
  std::string Sid(std::string_view sid) const { return SidPrefix().append(sid); }
  // Sorted set: full names of open tries, by when they are looked at.
  std::string Open(v1::Channel channel) const;
  std::string Twins(std::string_view twins) const;         // set: full names of tries; raw bytes
  std::string Idempotency(std::string_view digest) const;  // `digest`: raw bytes
  std::string Turn(std::string_view sender) const { return (prefix_ + "turn:").append(sender); }

 private:
  std::string prefix_;
};

// The longest horizon of an alert and what follows it: for what is kept of an alert whose hash
// Redis never had.
constexpr std::chrono::hours kLifeAfterHorizon{48};
constexpr std::chrono::milliseconds kLongestLife = std::chrono::days(7) + kLifeAfterHorizon;

std::string TextOf(Proof proof);

// Of an accepted try, by its SID; SMS without one.
v1::Channel ChannelOf(const v1::Receipt& receipt);

// A mark as the alert's hash keeps it: when, and by whom.
std::string MarkText(WallTime time, std::string_view by);

// "<step>.<try>": the fields of a try in its alert's hash; and with the alert's id before it.
std::string FieldsOf(const v1::TryName& name);
std::string FullName(const v1::TryName& name);

}  // namespace tocsin::redis
