// Claims in Redis.
#pragma once

#include "common/domain/delivery/unreconciled_attempt.h"
#include "common/ports/claims.h"
#include "common/redis/script_client.h"

namespace tocsin::redis {

// One script per transition on the hash of the alert: Redis serializes concurrent requests, and its
// clock decides when a lease expires.
class ClaimStore final : public Claims {
 public:
  // `initial_delay`: from storing the SID of an attempt to the first lookup of its final status and
  // price.
  explicit ClaimStore(ScriptClient& client,
                      Micros initial_delay = ReconcileSchedule().initial_delay)
      : client_(client), initial_delay_(initial_delay) {}

  Task<Result<ClaimReply>> Claim(const ClaimRequest& request) override;
  Task<Status> Release(const v1::AttemptRef& attempt, std::uint64_t fence) override;
  Task<Result<std::optional<records::v1::AttemptResult>>> SaveResult(
      const v1::AttemptRef& attempt, std::uint64_t fence,
      const records::v1::AttemptResult& result) override;
  Task<Result<std::optional<records::v1::AttemptResult>>> Resolve(
      const ResolveRequest& request) override;
  Task<Status> Sync(const KnownAttempt& known) override;
  Task<Result<std::optional<std::string>>> FindWork(const v1::AttemptRef& attempt) override;
  Task<Result<std::optional<WallTime>>> NoteUndelivered(const v1::AttemptRef& attempt,
                                                        std::optional<WallTime> time) override;
  Task<Result<std::optional<WallTime>>> NoteTargetFailed(
      const v1::AttemptRef& attempt, const std::vector<std::int32_t>& last_targets,
      WallTime time) override;
  Task<Result<PlanEnd>> EndPlan(const v1::AttemptRef& attempt, const PlanCondition& plan,
                                WallTime deadline) override;
  Task<Result<std::vector<records::v1::AttemptResult>>> FindCallsToEnd(
      const std::string& alert_id) override;
  Task<Status> Ping() override;
  WallTime CompleteSince() const override { return client_.server().CompleteSince(); }

 private:
  ScriptClient& client_;
  const Micros initial_delay_;
};

// Claims::FindWork() for a process without a loop. Safe to use from several threads. Blocks for
// request_timeout (1 s) at most.
Result<std::optional<std::string>> FindWork(Server& server, const v1::AttemptRef& attempt);

}  // namespace tocsin::redis
