#include "common/ports/delay_tiers.h"

#include <algorithm>

#include "common/domain/delivery/due_time.h"

namespace tocsin {

std::string NextTopic(const Topics& topics, const records::v1::WorkRecord& work, WallTime now) {
  const Micros delay = DueTime(work) - now;
  if (delay <= Micros(0)) return topics.Lane(work.channel(), work.priority());
  DelayTier tier = DelayTier::k5s;
  for (const DelayTier larger : {DelayTier::k1m, DelayTier::k10m, DelayTier::k1h})
    if (delay >= ResidenceOf(larger)) tier = larger;
  return topics.Delay(work.priority() == v1::PRIORITY_EMERGENCY, tier);
}

WallTime LeaveTime(DelayTier tier, WallTime append_time, const records::v1::WorkRecord& work) {
  return std::min(append_time + std::chrono::duration_cast<Micros>(ResidenceOf(tier)),
                  DueTime(work));
}

}  // namespace tocsin
