#include "common/domain/waiting.h"

#include <algorithm>

namespace tocsin {

WallTime DueTime(const v1::WorkRecord& work) {
  return FromUnixMicros(std::max(work.due_time_us(), work.send_at_us()));
}

std::string NextStop(const Topics& topics, const v1::WorkRecord& work, WallTime now) {
  const Micros wait = DueTime(work) - now;
  if (wait <= Micros(0)) return topics.Lane(work.channel(), work.class_());
  DelayTier tier = DelayTier::k5s;
  for (const DelayTier larger : {DelayTier::k1m, DelayTier::k10m, DelayTier::k1h})
    if (wait >= ResidenceOf(larger)) tier = larger;
  return topics.Delay(work.class_() == v1::ALERT_CLASS_EMERGENCY, tier);
}

WallTime MovesOn(DelayTier tier, WallTime appended, const v1::WorkRecord& work) {
  return std::min(appended + std::chrono::duration_cast<Micros>(ResidenceOf(tier)), DueTime(work));
}

}  // namespace tocsin
