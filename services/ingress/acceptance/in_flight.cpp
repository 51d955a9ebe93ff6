#include "services/ingress/acceptance/in_flight.h"

#include <algorithm>

namespace tocsin::ingress {
namespace {

size_t PercentOf(v1::Priority priority) {
  switch (priority) {
    case v1::PRIORITY_EMERGENCY: return kEmergencyPercent;
    case v1::PRIORITY_HIGH: return kHighPercent;
    case v1::PRIORITY_BULK: return kBulkPercent;
    default: return kNormalPercent;
  }
}

}  // namespace

size_t InFlightLimit::ShareOf(v1::Priority priority) const {
  return std::max<size_t>(1, limit_ * PercentOf(priority) / 100);
}

bool InFlightLimit::TryAcquire(v1::Priority priority, size_t amount) {
  const size_t share = ShareOf(priority);
  size_t used = used_.load();
  do {
    if (used + amount > share) return false;
  } while (!used_.compare_exchange_weak(used, used + amount));
  return true;
}

}  // namespace tocsin::ingress
