#include "tools/twilio-sim/sender_queues.h"

#include <algorithm>
#include <chrono>

namespace tocsin::sim {

bool SenderQueues::Full(const std::string& sender, unsigned segments, WallTime now) const {
  const auto found = queues_.find(sender);
  if (found == queues_.end()) return false;
  const auto& [limit, free_at] = found->second;
  const std::chrono::duration<double> wait = std::max(free_at - now, Micros(0));
  return wait.count() * limit.segments_per_second + segments > limit.queue_segments;
}

WallTime SenderQueues::Reserve(const std::string& sender, unsigned segments, WallTime earliest) {
  const auto found = queues_.find(sender);
  if (found == queues_.end()) return earliest;
  auto& [limit, free_at] = found->second;
  const WallTime turn = std::max(free_at, earliest);
  const std::chrono::duration<double> takes(segments / limit.segments_per_second);
  free_at = turn + std::chrono::duration_cast<Micros>(takes);
  return turn;
}

}  // namespace tocsin::sim
