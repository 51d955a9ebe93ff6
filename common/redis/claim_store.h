// Claims in Redis.
#pragma once

#include "common/domain/delivery/unreconciled_attempt.h"
#include "common/ports/claims.h"
#include "common/redis/server.h"

namespace tocsin::redis {

// One script per transition on the hash of the alert: Redis serializes concurrent requests, and its
// clock decides when a lease expires.
class ClaimStore final : public Claims {
 public:
  // `initial_delay`: from storing the SID of an attempt to the first lookup of its final status and
  // price.
  explicit ClaimStore(Server& server, Micros initial_delay = ReconcileSchedule().initial_delay)
      : server_(server), initial_delay_(initial_delay) {}

  Result<ClaimReply> Claim(const ClaimRequest& request) override;
  Status Release(const v1::AttemptRef& attempt, std::uint64_t fence) override;
  Result<std::optional<records::v1::AttemptResult>> SaveResult(
      const v1::AttemptRef& attempt, std::uint64_t fence,
      const records::v1::AttemptResult& result) override;
  Result<std::optional<records::v1::AttemptResult>> Resolve(const ResolveRequest& request) override;
  Status Sync(const KnownAttempt& known) override;
  Result<std::optional<std::string>> FindWork(const v1::AttemptRef& attempt) override;
  WallTime CompleteSince() const override { return server_.CompleteSince(); }

 private:
  Server& server_;
  const Micros initial_delay_;
};

}  // namespace tocsin::redis
