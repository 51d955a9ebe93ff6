// Bounds the alerts between request and response, with room reserved for higher priorities.
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

// Safe to use from several threads; never blocks.
class InFlightLimit {
 public:
  explicit InFlightLimit(size_t limit) : limit_(limit) {}

  // Adds an alert unless its priority's share is full. An unspecified or unknown priority counts as
  // normal.
  bool TryAcquire(v1::Priority priority);
  void Release() { count_.fetch_sub(1); }

  size_t count() const { return count_.load(); }

 private:
  size_t ShareOf(v1::Priority priority) const;  // at least 1

  const size_t limit_;
  std::atomic<size_t> count_{0};
};

}  // namespace tocsin::ingress
