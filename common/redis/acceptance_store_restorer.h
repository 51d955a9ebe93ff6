// Restores acceptances in Redis from the lanes.
#pragma once

#include <string>

#include "common/ports/acceptance_restorer.h"
#include "common/redis/server.h"

namespace tocsin::redis {

// For a process that adopts a new epoch at once (without Settings::requires_restore). Used by one
// thread at a time.
class AcceptanceStoreRestorer final : public AcceptanceRestorer {
 public:
  explicit AcceptanceStoreRestorer(Server& server) : server_(server) {}

  Result<StoreEpoch> AdoptEpoch() override;
  // Each alert has an idempotency key.
  Status Restore(const StoreEpoch& epoch, std::span<const AcceptedAlert> alerts) override;
  Status MarkRestored(const StoreEpoch& epoch) override;

 private:
  Server& server_;
  std::string marker_;  // of the Redis whose epoch was adopted last
};

}  // namespace tocsin::redis
