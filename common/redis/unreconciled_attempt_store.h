// Unreconciled attempts in Redis.
#pragma once

#include "common/ports/unreconciled_attempts.h"
#include "common/redis/server.h"

namespace tocsin::redis {

// Two sorted sets per channel, by the time of the next lookup: attempts without a final status, and
// attempts that lack only their price. ClaimStore and ClaimStoreRestorer add the attempts.
class UnreconciledAttemptStore final : public UnreconciledAttempts {
 public:
  explicit UnreconciledAttemptStore(Server& server) : server_(server) {}

  Result<DueAttempts> FindDue(v1::Channel channel, WallTime now, std::size_t max) override;
  Status SaveLookup(v1::Channel channel, const v1::AttemptRef& attempt,
                    const Reconciled& found) override;

 private:
  Server& server_;
};

}  // namespace tocsin::redis
