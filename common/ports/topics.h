// Names and settings of Tocsin's topics.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tocsin/v1/types.pb.h"

namespace tocsin {

constexpr int kLanePartitions = 12;  // of lanes, dead letters, events, webhooks and consents
constexpr int kDelayPartitions = 3;
constexpr int kRegistryPartitions = 1;

enum class DelayTier { k5s, k1m, k10m, k1h };
std::chrono::seconds ResidenceOf(DelayTier tier);  // how long a record stays

struct TopicSpec {
  std::string name;
  int partitions;
  bool compacted;
  std::chrono::hours retention;  // not used if compacted; 0: unlimited
  bool log_append_time;          // timestamps are set by the broker, not by the producer
};

// Names under one prefix (default "tocsin"). Immutable value.
class Topics {
 public:
  explicit Topics(std::string prefix = "tocsin") : prefix_(std::move(prefix)) {}

  std::string Lane(v1::Channel channel, v1::Priority priority) const;
  std::string Delay(bool emergency, DelayTier tier) const;
  std::string Dead(v1::Channel channel) const;
  std::string Events() const { return prefix_ + ".events"; }
  std::string Webhooks() const { return prefix_ + ".webhooks"; }
  std::string Consents() const { return prefix_ + ".consents"; }
  std::string Registry() const { return prefix_ + ".registry"; }

  std::vector<std::string> Lanes(v1::Channel channel) const;  // emergency first
  // One of Lanes(channel).
  bool IsLaneOf(v1::Channel channel, std::string_view topic) const;
  // Whether the records of a key are in one partition, in the order in which they were published.
  // False for webhooks and for the lanes below emergency, whose records may be in any partition
  // (docs/decisions/0019-sticky-partitions.md).
  bool KeepsKeyOrder(std::string_view topic) const;
  std::vector<std::string> Delays(bool emergency) const;          // shortest first
  std::optional<DelayTier> TierOf(std::string_view topic) const;  // nothing for other topics
  std::vector<TopicSpec> All() const;                             // created at start
  // What a service publishes to: its producer knows these topics before the service is ready.
  std::vector<std::string> WrittenByIngress() const;
  std::vector<std::string> WrittenByWorker(v1::Channel channel) const;
  std::vector<std::string> WrittenByAudit() const;

 private:
  std::string prefix_;
};

}  // namespace tocsin
