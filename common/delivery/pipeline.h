// The delivery sequence of a work record. Start reading at DeliveryPipeline::Deliver().
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "common/async/task.h"
#include "common/base/result.h"
#include "common/delivery/attempt_claims.h"
#include "common/delivery/bounded_cache.h"
#include "common/delivery/delivery_result.h"
#include "common/delivery/in_doubt_resolver.h"
#include "common/delivery/post_limiter.h"
#include "common/delivery/probe.h"
#include "common/delivery/unanswered_calls.h"
#include "common/domain/delivery/clearance.h"
#include "common/domain/delivery/follow_up.h"
#include "common/ports/alert_history.h"
#include "common/ports/claims.h"
#include "common/ports/clock.h"
#include "common/ports/provider.h"
#include "common/ports/provider_list.h"
#include "common/ports/record_log.h"
#include "common/ports/registry_source.h"
#include "common/ports/topics.h"
#include "common/ports/vault.h"

namespace tocsin {

struct DeliverySettings {
  std::string owner;                               // this process; shown to operators
  Micros post_timeout = std::chrono::seconds(30);  // of one POST
  Micros lease = std::chrono::seconds(35);         // of a claim: POST timeout and 5 s
  double rate_factor = 0.8;      // of the provider's rate limit, so that its queue stays short
  size_t max_deliveries = 2000;  // in progress at once
  RetryPolicy retry{};
};

// Delivers work records of one channel. Keeps nothing of a record after it is delivered. Used on
// the loop's thread; many deliveries may be in progress. While the claim store is down or being
// restored, only emergencies proceed: the log decides which process sends (LogClaim). The parts
// must outlive it.
class DeliveryPipeline {
 public:
  struct Parts {
    const Clock& clock;
    const RegistrySource& registry;
    ConsentBook& consents;
    Claims& claims;
    Pacer& pacer;
    Vault& vault;
    PostLimiter& limiter;
    Provider& provider;
    ProviderList& list;
    RecordLog& log;
    AlertHistory& history;
    const Topics& topics;
    DeliveryProbe& probe;
    UnansweredCalls* calls = nullptr;  // nullptr: calls are not ended
  };

  DeliveryPipeline(v1::Channel channel, Parts parts, DeliverySettings settings);

  // Delivers the record: when it returns a result, everything that follows is on disk and the
  // record's offset may be stored. Takes post_timeout and a few store timeouts at most. An error
  // means that a dependency failed: nothing was lost, and the same record must be delivered again.
  // `record` must outlive the task.
  Task<Result<DeliveryResult>> Deliver(const IncomingRecord& record);

  // AttemptClaims::WatchStore(). Never ends: destroy the task.
  Task<void> WatchStore(Scheduler& scheduler) { return claims_.WatchStore(scheduler); }

 private:
  struct Delivery;  // one record while it is delivered

  // Steps, in the order of Deliver().
  Task<Result<DeliveryResult>> DeadLetterUnparsable(const IncomingRecord& record);
  Task<Result<DeliveryResult>> ResolveInDoubt(Delivery& delivery);
  Task<Result<DeliveryResult>> EndAtDeadline(Delivery& delivery);
  Task<Result<std::optional<WallTime>>> ReserveRate(Delivery& delivery,
                                                    const ClearedAttempt& cleared);
  Task<Result<WallTime>> NextFreeTime(const records::v1::WorkRecord& work, const Sender& sender);
  Task<Result<std::optional<LogClaim>>> FindEarlierStart(const Delivery& delivery,
                                                         const ClaimReply& claim,
                                                         const records::v1::Position& started,
                                                         SteadyTime post_by);
  Task<records::v1::AttemptResult> Post(const Delivery& delivery, const ClearedAttempt& cleared,
                                        records::v1::Content&& content);
  void ReportSubmitted(const records::v1::WorkRecord& work,
                       const records::v1::AttemptResult& result) const;

  // The other ways to end a delivery.
  Task<Result<DeliveryResult>> Reschedule(Delivery& delivery, WallTime due);
  Task<Result<DeliveryResult>> EndWithoutPost(Delivery& delivery, v1::AttemptStatus status,
                                              ErrorCode reason);
  Task<Result<DeliveryResult>> EndWithoutPost(Delivery& delivery,
                                              const records::v1::AttemptResult& result);
  Task<Result<DeliveryResult>> HandleClaimReply(Delivery& delivery, const ClaimReply& claim);
  Task<Result<DeliveryResult>> HandleLapsedClaim(Delivery& delivery, const ClaimReply& claim);
  Task<Result<DeliveryResult>> HandleEarlierStart(Delivery& delivery, const ClaimReply& claim,
                                                  const LogClaim& other);
  Task<Result<DeliveryResult>> Release(const Delivery& delivery, const ClaimReply& claim,
                                       const Error& reason);
  Task<Result<DeliveryResult>> HandleStoreError(Delivery& delivery, const Error& error);

  // What follows from a result.
  records::v1::AttemptResult InDoubtResultOf(const Delivery& delivery, WallTime begin_time) const;
  FollowUp FollowUpOf(const Delivery& delivery, const records::v1::AttemptResult& result) const;
  Task<Result<DeliveryResult>> RecordResult(const Delivery& delivery,
                                            const records::v1::AttemptResult& result);
  Task<Result<DeliveryResult>> RecordPosted(const Delivery& delivery,
                                            const records::v1::AttemptResult& result);
  Task<Result<DeliveryResult>> RecordUnpersisted(const Delivery& delivery,
                                                 const records::v1::AttemptResult& result);
  Task<Result<DeliveryResult>> PublishResult(const Delivery& delivery,
                                             const records::v1::AttemptResult& result,
                                             FollowUp follow_up);
  Task<Status> PublishOnce(const Delivery& delivery, FollowUp follow_up);
  Task<Status> PublishFollowUp(const Delivery& delivery, const FollowUp& follow_up);
  std::vector<OutgoingRecord> RecordsOf(const Delivery& delivery, const FollowUp& follow_up) const;
  Task<Status> PublishWork(const Delivery& delivery, const records::v1::WorkRecord& work);

  const v1::Channel channel_;
  const Parts parts_;
  const DeliverySettings settings_;
  InDoubtResolver resolver_;
  AttemptClaims claims_;
  size_t lapsed_lookups_ = 0;  // readings of the log for lapsed claims that are in progress
  // Lookups whose follow-up records are all in the log. Each record of the log may be there
  // several times; without this the copies of a lookup would multiply with every further lookup.
  BoundedCache<bool> continued_lookups_{10'000};
  // Attempts whose target has failed and whose plan was continued; false while that is being
  // published. Each step is in the log several times; without this the copies would multiply with
  // every step.
  BoundedCache<bool> followed_targets_{10'000};
  // By attempt: results that neither the store nor the log has yet.
  BoundedCache<records::v1::AttemptResult> unpersisted_;
  // By attempt: reservations of deliveries in progress. Otherwise each repetition after an error
  // would reserve again, and the sender would have no time left.
  BoundedCache<records::v1::RateReservation> reservations_;
};

}  // namespace tocsin
