// Restores the claims in Redis from the log.
#pragma once

#include <string>

#include "common/domain/delivery/unreconciled_attempt.h"
#include "common/ports/claim_restorer.h"
#include "common/redis/server.h"

namespace tocsin::redis {

// Needs Settings::requires_restore: without it the current epoch is adopted at once.
class ClaimStoreRestorer final : public ClaimRestorer {
 public:
  // `initial_delay`: as in ClaimStore.
  explicit ClaimStoreRestorer(Server& server,
                              Micros initial_delay = ReconcileSchedule().initial_delay);

  Result<StoreEpoch> FindEpoch() override;
  Result<bool> HoldLease(const StoreEpoch& epoch) override;
  Status ReleaseLease(const StoreEpoch& epoch) override;
  Status Restore(const StoreEpoch& epoch, std::span<const KnownAttempt> attempts) override;
  void SetCompleteSince(WallTime complete_since) override;
  void Adopt(const StoreEpoch& epoch, WallTime complete_since) override;
  Status MarkRecentRestored(const StoreEpoch& epoch, WallTime since) override;
  Status MarkRestored(const StoreEpoch& epoch) override;

 private:
  Status Mark(const StoreEpoch& epoch, std::string key, const std::string& prefix);

  Server& server_;
  const Micros initial_delay_;
  const std::string token_;  // of this process's lease
};

// The call that stores what the log contains about an attempt or its alert.
ScriptCall RestoreCall(const KnownAttempt& known, const Keys& keys, Micros initial_delay);

}  // namespace tocsin::redis
