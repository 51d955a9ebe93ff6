#include "common/delivery/restoration_lease.h"

#include <utility>

#include "common/base/sleep.h"

namespace tocsin {

Result<std::unique_ptr<RestorationLease>> RestorationLease::Acquire(ClaimRestorer& restorer,
                                                                    const StoreEpoch& epoch,
                                                                    std::stop_token stop) {
  TOCSIN_TRY(const bool held, restorer.HoldLease(epoch));
  if (!held) return std::unique_ptr<RestorationLease>();
  return std::make_unique<RestorationLease>(restorer, epoch, std::move(stop));
}

RestorationLease::RestorationLease(ClaimRestorer& restorer, StoreEpoch epoch, std::stop_token stop)
    : restorer_(restorer),
      epoch_(std::move(epoch)),
      stopping_(std::move(stop), [this] { ended_.request_stop(); }),
      thread_([this](const std::stop_token& token) { Extend(token); }) {}

RestorationLease::~RestorationLease() {
  thread_.request_stop();
  thread_.join();
  // If that fails, the lease expires.
  if (!Lost()) static_cast<void>(restorer_.ReleaseLease(epoch_));
}

// After an error the lease may have expired: the next request acquires it again, unless another
// process has it.
void RestorationLease::Extend(const std::stop_token& stop) {
  while (SleepFor(kLeaseExtensionInterval, stop)) {
    const Result<bool> held = restorer_.HoldLease(epoch_);
    if (!held || *held) continue;
    lost_.request_stop();
    ended_.request_stop();
    return;
  }
}

}  // namespace tocsin
