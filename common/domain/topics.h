// Names of Tocsin's topics and what each is like: the one place where they are written.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tocsin/v1/types.pb.h"

namespace tocsin {

constexpr int kLanePartitions =
    12;  // lanes, events, webhooks, consents: one count, one partitioner
constexpr int kDelayPartitions = 3;
constexpr int kRegistryPartitions = 1;

enum class DelayTier { k5s, k1m, k10m, k1h };
std::chrono::seconds ResidenceOf(DelayTier tier);

struct TopicSpec {
  std::string name;
  int partitions;
  bool compacted;
  std::chrono::hours retention;  // not used by compacted topics; 0: for ever
  bool log_append_time;          // the broker's time of append, not the producer's
};

// Names under one prefix (default "tocsin"). Immutable value.
class Topics {
 public:
  explicit Topics(std::string prefix = "tocsin") : prefix_(std::move(prefix)) {}

  std::string Lane(v1::Channel channel, v1::AlertClass alert_class) const;
  std::string Delay(bool emergency, DelayTier tier) const;
  std::string Dead(v1::Channel channel) const;
  std::string Events() const { return prefix_ + ".events"; }
  std::string Webhooks() const { return prefix_ + ".webhooks"; }
  std::string Consents() const { return prefix_ + ".consents"; }
  std::string Registry() const { return prefix_ + ".registry"; }
  std::string Checkpoints() const { return prefix_ + ".checkpoints"; }

  std::vector<std::string> Lanes(v1::Channel channel) const;  // emergency first
  bool IsLaneOf(v1::Channel channel, std::string_view topic) const;
  std::vector<std::string> Delays(bool emergency) const;          // shortest first
  std::optional<DelayTier> TierOf(std::string_view topic) const;  // nothing for other topics
  std::vector<TopicSpec> All() const;                             // to be created at start

 private:
  std::string prefix_;
};

// Header names on every record.
constexpr std::string_view kHeaderSchema = "schema";
constexpr std::string_view kHeaderTraceparent = "traceparent";
constexpr std::string_view kHeaderAccepts = "accepts";

}  // namespace tocsin
