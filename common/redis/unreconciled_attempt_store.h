// Unreconciled attempts in Redis.
#pragma once

#include "common/ports/unreconciled_attempts.h"
#include "common/redis/script_client.h"

namespace tocsin::redis {

// Two sorted sets per channel, by the time of the next lookup: attempts without a final status, and
// attempts that lack only their price. ClaimStore and ClaimStoreRestorer add the attempts.
class UnreconciledAttemptStore final : public UnreconciledAttempts {
 public:
  explicit UnreconciledAttemptStore(ScriptClient& client) : client_(client) {}

  Task<Result<DueAttempts>> FindDue(v1::Channel channel, WallTime now, std::size_t max) override;
  Task<Status> SaveLookup(v1::Channel channel, const v1::AttemptRef& attempt,
                          const Reconciled& found) override;

 private:
  ScriptClient& client_;
};

}  // namespace tocsin::redis
