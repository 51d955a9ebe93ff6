// Claims on attempts: decided by the claim store, or by the log while the store is unavailable.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "common/async/scheduler.h"
#include "common/async/task.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/delivery/bounded_cache.h"
#include "common/delivery/circuit_breaker.h"
#include "common/domain/delivery/log_claim.h"
#include "common/domain/registry/registry.h"
#include "common/ports/alert_history.h"
#include "common/ports/claims.h"
#include "common/ports/clock.h"
#include "common/ports/record_log.h"
#include "common/ports/topics.h"

namespace tocsin {

// Emergencies proceed without the store after it has failed for this long.
constexpr Micros kStoreDownAfter = std::chrono::seconds(1);

// The store knows what was sent without it after it has responded for this long.
constexpr Micros kStoreTrustedAfter = std::chrono::seconds(10);

// Interval of the requests that show whether the store responds.
constexpr Micros kPingInterval = std::chrono::seconds(1);

// A claim without a fence was not granted by the store: the order of SENDING events in the log
// decides.
inline bool IsDecidedByLog(const ClaimReply& claim) { return claim.fence == kNoFence; }

// Claims of one channel. Takes as long as the store and the log do. Used on the loop's thread. The
// parts must outlive it; arguments must outlive the task.
class AttemptClaims {
 public:
  struct Parts {
    const Clock& clock;
    Claims& store;
    RecordLog& log;
    AlertHistory& history;
    const Topics& topics;
  };

  // `owner`: this process; shown to operators. `lease`: how long a claim is held.
  AttemptClaims(Parts parts, std::string owner, Micros lease)
      : parts_(parts), owner_(std::move(owner)), lease_(lease) {}

  // Checks regularly whether the store responds: without requests an outage would not be noticed.
  // Never ends: destroy the task.
  Task<void> WatchStore(Scheduler& scheduler);

  // False if an attempt of this work may have started without the store knowing it.
  bool StoreIsComplete(const records::v1::WorkRecord& work) const;

  // What happened while the store was unavailable is stored by now.
  bool StoreIsSynced() const;

  // Claims the attempt at the store: to send it, or to end it as `not_attempted`. `record` contains
  // `work`.
  Task<Result<ClaimReply>> Claim(const IncomingRecord& record, const records::v1::WorkRecord& work,
                                 std::optional<records::v1::AttemptResult> not_attempted);
  // Claims the attempt to send it. Grants an emergency a claim by the log while the store is down
  // or incomplete.
  Task<Result<ClaimReply>> ClaimToSend(const IncomingRecord& record,
                                       const records::v1::WorkRecord& work);

  // Publishes what follows it in the plan, then that the attempt starts (SENDING). Returns the
  // position of the event.
  Task<Result<records::v1::Position>> PublishStarted(const IncomingRecord& record,
                                                     const records::v1::WorkRecord& work,
                                                     const Sender& sender, const ClaimReply& claim);

  // Nothing was sent: the attempt may be claimed again.
  Task<Status> Release(const records::v1::WorkRecord& work, const ClaimReply& claim);

  // Whether the log may contain a start of this attempt that the store does not know yet.
  bool MustReadLog(const IncomingRecord& record, const records::v1::WorkRecord& work,
                   const ClaimReply& claim) const;

  // Whether the claim is valid even if the log cannot be read.
  bool StoreSuffices(const ClaimReply& claim) const;

  // What the log contains of the attempt up to `started`, the position of our own SENDING event.
  Task<Result<LogClaim>> ReadLog(const records::v1::WorkRecord& work, const ClaimReply& claim,
                                 const records::v1::Position& started, SteadyTime deadline);

  // Whether the holder of a lapsed claim published its start. Otherwise it made no POST.
  Task<Result<bool>> WasStarted(const records::v1::WorkRecord& work, const ClaimReply& claim);

  // The result that is stored afterwards; nothing if the claim was lost meanwhile.
  Task<Result<std::optional<records::v1::AttemptResult>>> SaveResult(
      const records::v1::WorkRecord& work, const ClaimReply& claim,
      const records::v1::AttemptResult& result);

  // Stores another process's start, found in the log.
  Task<Status> SyncStore(const records::v1::WorkRecord& work, const LogClaim& other);

  // Records the error. True if it is from the store, which has been failing for a while.
  bool IsStoreDown(const Error& error);

 private:
  void RecordOutcome(const std::optional<Error>& error);

  const Parts parts_;
  const std::string owner_;
  const Micros lease_;
  CircuitBreaker breaker_;                   // of the store
  BoundedCache<bool> aborted_starts_{1000};  // our SENDING events that no POST followed
};

}  // namespace tocsin
