// The lease of the process that restores claims.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <stop_token>
#include <thread>

#include "common/base/result.h"
#include "common/ports/claim_restorer.h"

namespace tocsin {

// How often the lease is extended.
constexpr std::chrono::seconds kLeaseExtensionInterval{2};
static_assert(kLeaseExtensionInterval * 3 < kRestoreLease);

// A thread extends the lease: a slow reading of the log keeps it, a process that ended or is
// stopped loses it. The destructor releases it; it blocks for two requests at most.
class RestorationLease {
 public:
  // Returns null if another process has the lease. The restorer outlives the lease.
  static Result<std::unique_ptr<RestorationLease>> Acquire(ClaimRestorer& restorer,
                                                           const StoreEpoch& epoch,
                                                           std::stop_token stop);
  RestorationLease(ClaimRestorer& restorer, StoreEpoch epoch, std::stop_token stop);
  ~RestorationLease();
  RestorationLease(const RestorationLease&) = delete;
  RestorationLease& operator=(const RestorationLease&) = delete;

  // Stops when another process has the lease, or with the `stop` of the constructor.
  std::stop_token Ended() const { return ended_.get_token(); }
  // Another process has the lease.
  bool Lost() const { return lost_.stop_requested(); }

 private:
  void Extend(const std::stop_token& stop);

  ClaimRestorer& restorer_;
  const StoreEpoch epoch_;
  std::stop_source lost_;
  std::stop_source ended_;
  std::stop_callback<std::function<void()>> stopping_;
  std::jthread thread_;
};

}  // namespace tocsin
