#include "common/ports/topics.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>

namespace tocsin {
namespace {

using std::chrono::hours;

constexpr hours kDay{24};
constexpr DelayTier kTiers[] = {DelayTier::k5s, DelayTier::k1m, DelayTier::k10m, DelayTier::k1h};
constexpr v1::Priority kPriorities[] = {v1::PRIORITY_EMERGENCY, v1::PRIORITY_HIGH,
                                        v1::PRIORITY_NORMAL, v1::PRIORITY_BULK};

std::string_view NameOf(v1::Channel channel) {
  return channel == v1::CHANNEL_VOICE ? "voice" : "sms";
}

std::string_view NameOf(v1::Priority priority) {
  switch (priority) {
    case v1::PRIORITY_EMERGENCY: return "emergency";
    case v1::PRIORITY_HIGH: return "high";
    case v1::PRIORITY_BULK: return "bulk";
    default: return "normal";
  }
}

std::string_view NameOf(DelayTier tier) {
  switch (tier) {
    case DelayTier::k5s: return "5s";
    case DelayTier::k1m: return "1m";
    case DelayTier::k10m: return "10m";
    case DelayTier::k1h: return "1h";
  }
  std::abort();
}

}  // namespace

std::chrono::seconds ResidenceOf(DelayTier tier) {
  switch (tier) {
    case DelayTier::k5s: return std::chrono::seconds(5);
    case DelayTier::k1m: return std::chrono::minutes(1);
    case DelayTier::k10m: return std::chrono::minutes(10);
    case DelayTier::k1h: return std::chrono::hours(1);
  }
  std::abort();
}

std::string Topics::Lane(v1::Channel channel, v1::Priority priority) const {
  return prefix_ + '.' + std::string(NameOf(channel)) + '.' + std::string(NameOf(priority));
}

std::string Topics::Delay(bool emergency, DelayTier tier) const {
  return prefix_ + ".delay." + (emergency ? "emergency." : "other.") + std::string(NameOf(tier));
}

std::string Topics::Dead(v1::Channel channel) const {
  return prefix_ + '.' + std::string(NameOf(channel)) + ".dead";
}

std::vector<std::string> Topics::Lanes(v1::Channel channel) const {
  std::vector<std::string> names;
  for (const v1::Priority priority : kPriorities) names.push_back(Lane(channel, priority));
  return names;
}

bool Topics::IsLaneOf(v1::Channel channel, std::string_view topic) const {
  return std::ranges::any_of(
      kPriorities, [&](v1::Priority priority) { return topic == Lane(channel, priority); });
}

bool Topics::KeepsKeyOrder(std::string_view topic) const {
  if (topic == Webhooks()) return false;
  for (const v1::Channel channel : {v1::CHANNEL_SMS, v1::CHANNEL_VOICE})
    if (IsLaneOf(channel, topic)) return topic == Lane(channel, v1::PRIORITY_EMERGENCY);
  return true;
}

std::vector<std::string> Topics::Delays(bool emergency) const {
  std::vector<std::string> names;
  for (const DelayTier tier : kTiers) names.push_back(Delay(emergency, tier));
  return names;
}

std::optional<DelayTier> Topics::TierOf(std::string_view topic) const {
  for (const DelayTier tier : kTiers)
    if (topic == Delay(true, tier) || topic == Delay(false, tier)) return tier;
  return std::nullopt;
}

std::vector<TopicSpec> Topics::All() const {
  std::vector<TopicSpec> specs;
  for (const v1::Channel channel : {v1::CHANNEL_SMS, v1::CHANNEL_VOICE}) {
    for (std::string& name : Lanes(channel))
      specs.push_back({std::move(name), kLanePartitions, false, 8 * kDay, false});
    specs.push_back({Dead(channel), kLanePartitions, false, 30 * kDay, false});
  }
  for (const bool emergency : {true, false})
    for (std::string& name : Delays(emergency))
      specs.push_back({std::move(name), kDelayPartitions, false, 8 * kDay, true});
  specs.push_back({Events(), kLanePartitions, false, 35 * kDay, false});
  specs.push_back({Webhooks(), kLanePartitions, false, 8 * kDay, false});
  specs.push_back({Consents(), kLanePartitions, true, hours(0), false});
  specs.push_back({Registry(), kRegistryPartitions, true, hours(0), false});
  return specs;
}

std::vector<std::string> Topics::WrittenByIngress() const {
  std::vector<std::string> names{Events(), Webhooks(), Consents()};
  std::ranges::move(Lanes(v1::CHANNEL_SMS), std::back_inserter(names));
  std::ranges::move(Lanes(v1::CHANNEL_VOICE), std::back_inserter(names));
  return names;
}

std::vector<std::string> Topics::WrittenByWorker(v1::Channel channel) const {
  std::vector<std::string> names{Dead(channel), Events(), Webhooks(), Consents()};
  std::ranges::move(Lanes(channel), std::back_inserter(names));
  std::ranges::move(Delays(true), std::back_inserter(names));
  std::ranges::move(Delays(false), std::back_inserter(names));
  return names;
}

std::vector<std::string> Topics::WrittenByAudit() const {
  std::vector<std::string> names{Events()};
  std::ranges::move(Lanes(v1::CHANNEL_SMS), std::back_inserter(names));
  std::ranges::move(Lanes(v1::CHANNEL_VOICE), std::back_inserter(names));
  return names;
}

}  // namespace tocsin
