// Bounds the alerts between request and response, and the bytes of those that are being published,
// with room reserved for higher priorities.
#pragma once

#include <atomic>
#include <cstddef>

#include "tocsin/v1/types.pb.h"

namespace tocsin::ingress {

// Percent of the limit that alerts of a priority may fill together with all others. The rest is
// room for the priorities above, so that a campaign never causes an emergency to be refused.
constexpr size_t kBulkPercent = 70;
constexpr size_t kNormalPercent = 80;
constexpr size_t kHighPercent = 90;
constexpr size_t kEmergencyPercent = 100;

// Of the values of the records that are being published. The producer has room for more: webhooks
// are published, too.
constexpr size_t kMaxBytesInFlight = 24 * 1024 * 1024;

// Safe to use from several threads; never blocks.
class InFlightLimit {
 public:
  explicit InFlightLimit(size_t limit) : limit_(limit) {}

  // Adds `amount` (alerts or bytes) unless its priority's share has no room for it. An unspecified
  // or unknown priority counts as normal.
  bool TryAcquire(v1::Priority priority, size_t amount = 1);
  void Release(size_t amount = 1) { used_.fetch_sub(amount); }

  size_t used() const { return used_.load(); }

 private:
  size_t ShareOf(v1::Priority priority) const;  // at least 1

  const size_t limit_;
  std::atomic<size_t> used_{0};
};

}  // namespace tocsin::ingress
