// Restores the claims in Redis from the log.
#pragma once

#include "common/domain/delivery/unreconciled_attempt.h"
#include "common/ports/claim_restorer.h"
#include "common/redis/server.h"

namespace tocsin::redis {

// Needs Settings::requires_restore: without it the current epoch is adopted at once.
class ClaimStoreRestorer final : public ClaimRestorer {
 public:
  // `initial_delay`: as in ClaimStore.
  explicit ClaimStoreRestorer(Server& server,
                              Micros initial_delay = ReconcileSchedule().initial_delay)
      : server_(server), initial_delay_(initial_delay) {}

  Result<StoreEpoch> FindEpoch() override;
  Status Restore(const StoreEpoch& epoch, std::span<const KnownAttempt> attempts) override;
  void Adopt(const StoreEpoch& epoch, WallTime complete_since) override;
  Status MarkRestored(const StoreEpoch& epoch) override;

 private:
  Server& server_;
  const Micros initial_delay_;
};

// The call that stores what the log contains about an attempt or its alert.
ScriptCall RestoreCall(const KnownAttempt& known, const Keys& keys, Micros initial_delay);

}  // namespace tocsin::redis
