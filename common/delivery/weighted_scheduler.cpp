#include "common/delivery/weighted_scheduler.h"

namespace tocsin {

std::optional<size_t> WeightedScheduler::Pick(const std::array<bool, kLanes>& ready) {
  if (ready[0]) return 0;
  std::optional<size_t> best;
  int total = 0;
  for (size_t lane = 1; lane < kLanes; ++lane) {
    if (!ready[lane]) {
      credit_[lane] = 0;  // an idle lane saves no credit
      continue;
    }
    credit_[lane] += kWeights[lane];
    total += kWeights[lane];
    if (!best || credit_[lane] > credit_[*best]) best = lane;
  }
  if (best) credit_[*best] -= total;
  return best;
}

}  // namespace tocsin
