#include "common/delivery/pipeline.h"

#include <algorithm>
#include <utility>

#include "common/base/failpoint.h"
#include "common/delivery/failed_target.h"
#include "common/delivery/follow_up_records.h"
#include "common/domain/alert/ids.h"
#include "common/domain/delivery/known_attempt.h"
#include "common/ports/sealed_content.h"

namespace tocsin {
namespace {

// Bytes of an unparsable record that its dead letter keeps, so that it fits into a message.
constexpr size_t kMaxUnparsed = 900'000;

// Delay of work that waits for the claim store: down, or being restored.
constexpr Micros kStoreRetryDelay = std::chrono::seconds(2);

// The part of the time before the POST that is left after reading the log.
constexpr Micros kAfterReadingLog = std::chrono::milliseconds(500);

// Readings of the log for lapsed claims that may be in progress.
constexpr size_t kMaxLapsedLookups = 4;

// Delay of a lapsed claim while others are looked up.
constexpr Micros kLapsedRetryDelay = std::chrono::seconds(1);

// A reserved time this near counts as now: rescheduling takes longer.
constexpr Micros kCountsAsNow = std::chrono::milliseconds(20);

bool IsEmergency(const records::v1::WorkRecord& work) {
  return work.priority() == v1::PRIORITY_EMERGENCY;
}

bool ParseWork(const IncomingRecord& record, v1::Channel channel, records::v1::WorkRecord& work) {
  return work.ParseFromString(record.value) && work.channel() == channel &&
         (work.kind() == records::v1::WORK_KIND_ATTEMPT ||
          work.kind() == records::v1::WORK_KIND_RESOLVE ||
          work.kind() == records::v1::WORK_KIND_DEADLINE);
}

WallTime ExpireTime(const records::v1::WorkRecord& work) {
  return FromUnixMicros(work.expire_time_us());
}

Error TooLate() {
  return {ErrorCode::kOverloaded, "the attempt or its lease ended before the POST"};
}

Error Stopping() { return {ErrorCode::kOverloaded, "the worker is stopping"}; }

Error NeverStarted() {
  return {ErrorCode::kOverloaded, "the lapsed claim was never started; claiming again"};
}

std::string LookupText(const records::v1::WorkRecord& lookup) {
  return AttemptText(lookup.attempt()) + '/' + std::to_string(lookup.in_doubt().lookup_count());
}

// The result of a publish at an armed failpoint.
tl::unexpected<Error> FailpointError() { return Fail(ErrorCode::kOutcomeUnknown, "failpoint"); }

}  // namespace

struct DeliveryPipeline::Delivery {
  const IncomingRecord& record;
  records::v1::WorkRecord work;
  std::shared_ptr<const RegistrySnapshot> registry;  // the same snapshot in every step
};

DeliveryPipeline::DeliveryPipeline(v1::Channel channel, Parts parts, DeliverySettings settings)
    : channel_(channel),
      parts_(parts),
      settings_(std::move(settings)),
      resolver_({parts.clock, parts.claims, parts.vault, parts.list, parts.probe},
                settings_.retry.in_doubt),
      claims_({parts.clock, parts.claims, parts.log, parts.history, parts.topics}, settings_.owner,
              settings_.lease),
      unpersisted_(settings_.max_deliveries),
      reservations_(settings_.max_deliveries) {}

Task<Result<DeliveryResult>> DeliveryPipeline::Deliver(const IncomingRecord& record) {
  Delivery delivery{record, {}, parts_.registry.Now()};
  records::v1::WorkRecord& work = delivery.work;
  if (!ParseWork(record, channel_, work)) co_return co_await DeadLetterUnparsable(record);
  if (work.kind() == records::v1::WORK_KIND_RESOLVE) co_return co_await ResolveInDoubt(delivery);
  if (work.kind() == records::v1::WORK_KIND_DEADLINE) co_return co_await EndAtDeadline(delivery);
  if (const auto result = unpersisted_.Find(AttemptText(work.attempt())))
    co_return co_await RecordUnpersisted(delivery, *result);
  if (!claims_.StoreIsComplete(work) && !IsEmergency(work))
    co_return co_await Reschedule(delivery, parts_.clock.Now() + kStoreRetryDelay);

  const Clearance clearance = Clear(work, *delivery.registry, parts_.consents, parts_.clock.Now());
  if (const auto* not_yet = std::get_if<NotYet>(&clearance))
    co_return co_await Reschedule(delivery, not_yet->due);
  if (const auto* result = std::get_if<records::v1::AttemptResult>(&clearance))
    co_return co_await EndWithoutPost(delivery, *result);
  const auto& cleared = std::get<ClearedAttempt>(clearance);

  TOCSIN_CO_TRY(const std::optional<WallTime> reserved, co_await ReserveRate(delivery, cleared));
  if (reserved && *reserved >= ExpireTime(work))
    co_return co_await EndWithoutPost(delivery, v1::ATTEMPT_STATUS_EXPIRED, ErrorCode::kExpired);
  if (reserved) co_return co_await Reschedule(delivery, *reserved);

  Result<records::v1::Content> content = OpenContent(parts_.vault, work);
  if (!content && content.error().code == ErrorCode::kKmsUnavailable)
    co_return Fail(content.error());
  if (!content)
    co_return co_await EndWithoutPost(delivery, v1::ATTEMPT_STATUS_REJECTED,
                                      ErrorCode::kDataCorrupted);

  std::optional<PostPermit> permit = co_await parts_.limiter.Acquire(work.priority());
  if (!permit) co_return Fail(Stopping());
  const SteadyTime post_by = parts_.clock.SteadyNow() + settings_.lease - settings_.post_timeout;
  TOCSIN_CO_TRY(const ClaimReply claim, co_await claims_.ClaimToSend(record, work));
  if (claim.state != ClaimReply::State::kGranted)
    co_return co_await HandleClaimReply(delivery, claim);
  if (TOCSIN_FAILS_AT("claim")) co_return Fail(ErrorCode::kRedisUnavailable, "failpoint");

  const Result<records::v1::Position> started = co_await claims_.PublishStarted(
      record, work, cleared.sender(), claim);  // on disk before the POST
  if (!started) co_return co_await Release(delivery, claim, started.error());
  const auto earlier = co_await FindEarlierStart(delivery, claim, *started, post_by);
  if (!earlier) co_return co_await Release(delivery, claim, earlier.error());
  if (*earlier) co_return co_await HandleEarlierStart(delivery, claim, **earlier);
  const bool permitted = co_await permit->AwaitTurn(post_by);
  // The waits may have taken long: time has passed, and the recipient may have opted out.
  const Clearance still = Clear(work, *delivery.registry, parts_.consents, parts_.clock.Now());
  if (!permitted || parts_.clock.SteadyNow() > post_by ||
      !std::holds_alternative<ClearedAttempt>(still))
    co_return co_await Release(delivery, claim, TooLate());

  const records::v1::AttemptResult result =
      co_await Post(delivery, std::get<ClearedAttempt>(still), *std::move(content));
  permit->Release();
  ReportSubmitted(work, result);
  const auto stored = co_await claims_.SaveResult(work, claim, result);
  if (!stored) co_return co_await RecordUnpersisted(delivery, result);
  // Nothing was stored if the claim was lost: the result is recorded all the same.
  co_return co_await RecordPosted(delivery, *stored ? **stored : result);
}

Task<Result<DeliveryResult>> DeliveryPipeline::DeadLetterUnparsable(const IncomingRecord& record) {
  records::v1::DeadLetterRecord dead;
  dead.set_reason(std::string(TraitsOf(ErrorCode::kDataCorrupted).name));
  dead.set_explanation("not a work record of this channel");
  *dead.mutable_position() = record.position;
  dead.set_time_us(ToUnixMicros(record.append_time));
  dead.set_unparsed(record.value.substr(0, kMaxUnparsed));
  std::vector<OutgoingRecord> records;
  records.push_back(MakeRecord(parts_.topics.Dead(channel_), dead, OriginOf(record)));
  TOCSIN_CO_CHECK_OK(co_await parts_.log.PublishAll(std::move(records)));
  co_return DeliveryResult::kUnparsable;
}

// Clocks differ between workers: a lookup before its due time is made all the same.
Task<Result<DeliveryResult>> DeliveryPipeline::ResolveInDoubt(Delivery& delivery) {
  if (!claims_.StoreIsComplete(delivery.work))
    co_return co_await Reschedule(delivery, parts_.clock.Now() + kStoreRetryDelay);
  const std::string lookup = LookupText(delivery.work);
  if (continued_lookups_.Find(lookup)) co_return DeliveryResult::kLookupPending;
  const Result<InDoubtFinding> finding =
      co_await resolver_.Resolve(delivery.work, *delivery.registry);
  if (!finding) co_return co_await HandleStoreError(delivery, finding.error());
  DeliveryResult delivered = DeliveryResult::kLookupPending;
  if (finding->result) {
    TOCSIN_CO_TRY(delivered, co_await RecordResult(delivery, *finding->result));
  } else {
    TOCSIN_CO_CHECK_OK(co_await PublishWork(
        delivery, NextLookup(delivery.work, settings_.retry.in_doubt, finding->read_list)));
  }
  continued_lookups_.Put(lookup, true);
  co_return delivered;
}

// The goal of a plan was not reached in time, unless the store reports that it was. The log may
// contain acknowledgements that the store lacks after it was unavailable.
Task<Result<DeliveryResult>> DeliveryPipeline::EndAtDeadline(Delivery& delivery) {
  const records::v1::WorkRecord& work = delivery.work;
  const WallTime deadline = FromUnixMicros(work.plan().goal().deadline_us());
  const std::optional<PlanCondition> plan = PlanConditionOf(work);
  if (!plan) co_return co_await DeadLetterUnparsable(delivery.record);
  if (parts_.clock.Now() < deadline) co_return co_await Reschedule(delivery, deadline);
  if (!claims_.StoreIsComplete(work))
    co_return co_await Reschedule(delivery, parts_.clock.Now() + kStoreRetryDelay);
  // At most once: while parts fail again and again, records that wait multiply.
  if (!claims_.StoreIsSynced() && parts_.clock.Now() < deadline + kStoreTrustedAfter)
    co_return co_await Reschedule(delivery, deadline + kStoreTrustedAfter);
  const Result<PlanEnd> end = co_await parts_.claims.EndPlan(work.attempt(), *plan, deadline);
  if (!end) co_return co_await HandleStoreError(delivery, end.error());
  FollowUp follow_up;
  // Their events may be missing: the ingress may have been killed after it stored the marks.
  for (const StoredAcknowledgement& stored : end->acknowledgements)
    follow_up.events.push_back(
        AcknowledgedEvent(work.client_id(), work.attempt().alert_id(), stored.time, stored.mark));
  if (end->state != PlanEnd::State::kGoalReached) follow_up.events.push_back(GoalMissedEvent(work));
  TOCSIN_CO_CHECK_OK(co_await PublishFollowUp(delivery, follow_up));
  co_return end->state == PlanEnd::State::kGoalMissed ? DeliveryResult::kGoalMissed
                                                      : DeliveryResult::kGoalReached;
}

// Returns the reserved time, nothing if the attempt may be sent now. A reservation before the
// alert's expire time is stored in the work record.
Task<Result<std::optional<WallTime>>> DeliveryPipeline::ReserveRate(Delivery& delivery,
                                                                    const ClearedAttempt& cleared) {
  records::v1::WorkRecord& work = delivery.work;
  const Sender& sender = cleared.sender();
  if (IsEmergency(work) || work.rate_reservation().sender_id() == sender.id)
    co_return std::optional<WallTime>();
  const std::string attempt = AttemptText(work.attempt());
  std::optional<records::v1::RateReservation> reservation = reservations_.Find(attempt);
  if (!reservation || reservation->sender_id() != sender.id) {
    TOCSIN_CO_TRY(const WallTime time, co_await NextFreeTime(work, sender));
    if (time >= ExpireTime(work)) co_return std::optional(time);
    reservation.emplace();
    reservation->set_sender_id(sender.id);
    reservation->set_account_sid(sender.account_sid);
    reservation->set_time_us(ToUnixMicros(time));
    reservations_.Erase(attempt);
    reservations_.Put(attempt, *reservation);
  }
  const WallTime time = FromUnixMicros(reservation->time_us());
  if (time <= parts_.clock.Now() + kCountsAsNow) co_return std::optional<WallTime>();
  *work.mutable_rate_reservation() = *std::move(reservation);
  co_return std::optional(time);
}

// Reserves the time for the attempt.
Task<Result<WallTime>> DeliveryPipeline::NextFreeTime(const records::v1::WorkRecord& work,
                                                      const Sender& sender) {
  // Twilio limits segments by sender, but calls by account.
  const bool call = channel_ == v1::CHANNEL_VOICE;
  const double rate = call ? sender.calls_per_second : sender.segments_per_second;
  co_return co_await parts_.pacer.Reserve(call ? sender.account_sid : sender.id,
                                          rate * settings_.rate_factor,
                                          call ? 1 : work.segment_count(), ExpireTime(work));
}

// Another process's start of the same attempt that the log contains before ours. Fails if the log
// cannot be read and the store does not suffice.
Task<Result<std::optional<LogClaim>>> DeliveryPipeline::FindEarlierStart(
    const Delivery& delivery, const ClaimReply& claim, const records::v1::Position& started,
    SteadyTime post_by) {
  if (!claims_.MustReadLog(delivery.record, delivery.work, claim))
    co_return std::optional<LogClaim>();
  const Result<LogClaim> log_claim =
      co_await claims_.ReadLog(delivery.work, claim, started, post_by - kAfterReadingLog);
  if (!log_claim && !claims_.StoreSuffices(claim)) co_return Fail(log_claim.error());
  if (!log_claim || log_claim->verdict() == LogClaim::Verdict::kOurs)
    co_return std::optional<LogClaim>();
  co_return std::optional(*log_claim);
}

Task<records::v1::AttemptResult> DeliveryPipeline::Post(const Delivery& delivery,
                                                        const ClearedAttempt& cleared,
                                                        records::v1::Content&& content) {
  const Dispatch dispatch{.attempt = delivery.work.attempt(),
                          .to = Pii(std::move(*content.mutable_to())),
                          .text = Pii(std::move(*content.mutable_text())),
                          .account = cleared.account(),
                          .sender = cleared.sender(),
                          .work = delivery.record.position,
                          .validity = cleared.validity(),
                          .traceparent = delivery.record.Header(kHeaderTraceparent).value_or(""),
                          .voice = delivery.work.voice()};
  const WallTime begin_time = parts_.clock.Now();
  records::v1::AttemptResult result =
      co_await parts_.provider.Send(dispatch, parts_.clock.SteadyNow() + settings_.post_timeout);
  result.set_begin_time_us(ToUnixMicros(begin_time));
  result.set_end_time_us(ToUnixMicros(parts_.clock.Now()));
  result.set_sender_id(cleared.sender().id);
  result.set_account_sid(cleared.sender().account_sid);
  co_return result;
}

void DeliveryPipeline::ReportSubmitted(const records::v1::WorkRecord& work,
                                       const records::v1::AttemptResult& result) const {
  if (result.outcome() != records::v1::ATTEMPT_OUTCOME_ACCEPTED || work.attempt().attempt() != 1)
    return;
  const std::int64_t due_us =
      std::max({work.create_time_us(), work.send_time_us(), work.first_publish_time_us()});
  parts_.probe.OnSubmitted(work.priority(), Micros(result.end_time_us() - due_us));
}

Task<Result<DeliveryResult>> DeliveryPipeline::Reschedule(Delivery& delivery, WallTime due) {
  delivery.work.set_due_time_us(ToUnixMicros(due));
  delivery.work.clear_acceptance();  // audit reads it from the record that accepted the alert
  TOCSIN_CO_CHECK_OK(co_await PublishWork(delivery, delivery.work));
  reservations_.Erase(AttemptText(delivery.work.attempt()));
  co_return DeliveryResult::kRescheduled;
}

Task<Result<DeliveryResult>> DeliveryPipeline::EndWithoutPost(Delivery& delivery,
                                                              v1::AttemptStatus status,
                                                              ErrorCode reason) {
  const records::v1::AttemptResult result = NotAttempted(status, reason, parts_.clock.Now());
  co_return co_await EndWithoutPost(delivery, result);
}

// The claim decides: the result counts only if the attempt never started.
Task<Result<DeliveryResult>> DeliveryPipeline::EndWithoutPost(
    Delivery& delivery, const records::v1::AttemptResult& result) {
  if (!claims_.StoreIsComplete(delivery.work))
    co_return co_await Reschedule(delivery, parts_.clock.Now() + kStoreRetryDelay);
  const Result<ClaimReply> claim = co_await claims_.Claim(delivery.record, delivery.work, result);
  if (!claim) co_return co_await HandleStoreError(delivery, claim.error());
  co_return co_await HandleClaimReply(delivery, *claim);
}

// The claim was not granted: the stored state of the attempt decides.
Task<Result<DeliveryResult>> DeliveryPipeline::HandleClaimReply(Delivery& delivery,
                                                                const ClaimReply& claim) {
  switch (claim.state) {
    case ClaimReply::State::kGranted: break;  // impossible: only claims to send are granted
    case ClaimReply::State::kDone: co_return co_await RecordPosted(delivery, *claim.result);
    case ClaimReply::State::kStopped: co_return co_await RecordResult(delivery, *claim.result);
    case ClaimReply::State::kBusy:
    case ClaimReply::State::kEarly:
      co_return co_await Reschedule(delivery, parts_.clock.Now() + claim.lease_left);
    case ClaimReply::State::kLapsed: co_return co_await HandleLapsedClaim(delivery, claim);
  }
  co_return Fail(ErrorCode::kInternal, "a claim without a POST was granted");
}

// The holder stored no result. If it stopped before it published its start, it made no POST. After
// a crash many claims lapse at once: a few are looked up concurrently, the others are rescheduled
// and occupy no sender.
Task<Result<DeliveryResult>> DeliveryPipeline::HandleLapsedClaim(Delivery& delivery,
                                                                 const ClaimReply& claim) {
  if (lapsed_lookups_ == kMaxLapsedLookups)
    co_return co_await Reschedule(delivery, parts_.clock.Now() + kLapsedRetryDelay);
  ++lapsed_lookups_;
  const Result<bool> started = co_await claims_.WasStarted(delivery.work, claim);
  --lapsed_lookups_;
  if (!started) co_return Fail(started.error());
  if (!*started) co_return co_await Release(delivery, claim, NeverStarted());
  TOCSIN_CO_TRY(const auto stored,
                co_await parts_.claims.SaveResult(delivery.work.attempt(), kNoFence,
                                                  InDoubtResultOf(delivery, claim.begin_time)));
  if (!stored) co_return Fail(ErrorCode::kOverloaded, "claim lost; claiming again");
  co_return co_await RecordResult(delivery, *stored);
}

// Our claim is kept meanwhile, so that the store grants the attempt to no other process. The other
// start is stored.
Task<Result<DeliveryResult>> DeliveryPipeline::HandleEarlierStart(Delivery& delivery,
                                                                  const ClaimReply& claim,
                                                                  const LogClaim& other) {
  const bool in_store = !IsDecidedByLog(claim);
  records::v1::AttemptResult result = other.result();
  if (other.verdict() == LogClaim::Verdict::kStarted) {
    if (in_store) TOCSIN_CO_CHECK_OK(co_await claims_.SyncStore(delivery.work, other));
    if (other.lease_until() > parts_.clock.Now())
      co_return co_await Reschedule(delivery, other.lease_until());
    result = InDoubtResultOf(delivery, other.began());
  }
  if (in_store) {
    TOCSIN_CO_TRY(const auto stored,
                  co_await parts_.claims.SaveResult(delivery.work.attempt(), claim.fence, result));
    if (stored) result = *stored;
  }
  co_return co_await RecordResult(delivery, result);
}

Task<Result<DeliveryResult>> DeliveryPipeline::Release(const Delivery& delivery,
                                                       const ClaimReply& claim,
                                                       const Error& reason) {
  TOCSIN_CO_CHECK_OK(co_await claims_.Release(delivery.work, claim));
  co_return Fail(reason);
}

// An emergency that cannot proceed without the store must not block a sender for one that can.
Task<Result<DeliveryResult>> DeliveryPipeline::HandleStoreError(Delivery& delivery,
                                                                const Error& error) {
  if (!claims_.IsStoreDown(error) || !IsEmergency(delivery.work)) co_return Fail(error);
  co_return co_await Reschedule(delivery, parts_.clock.Now() + kStoreRetryDelay);
}

records::v1::AttemptResult DeliveryPipeline::InDoubtResultOf(const Delivery& delivery,
                                                             WallTime begin_time) const {
  records::v1::AttemptResult result;
  result.set_outcome(records::v1::ATTEMPT_OUTCOME_IN_DOUBT);
  result.set_reason(std::string(TraitsOf(ErrorCode::kInDoubt).name));
  result.set_begin_time_us(ToUnixMicros(begin_time));
  result.set_end_time_us(ToUnixMicros(begin_time + settings_.lease));
  if (const Sender* sender = delivery.registry->FindSender(delivery.work.sender_id())) {
    result.set_sender_id(sender->id);
    result.set_account_sid(sender->account_sid);
  }
  return result;
}

FollowUp DeliveryPipeline::FollowUpOf(const Delivery& delivery,
                                      const records::v1::AttemptResult& result) const {
  const Sender* sender = delivery.registry->FindSender(delivery.work.sender_id());
  return Decide(delivery.work, result, settings_.retry,
                sender == nullptr ? std::string() : ConsentName(*sender));
}

Task<Result<DeliveryResult>> DeliveryPipeline::RecordResult(
    const Delivery& delivery, const records::v1::AttemptResult& result) {
  co_return co_await PublishResult(delivery, result, FollowUpOf(delivery, result));
}

// The goal of the plan may have been reached during the POST: then the call is ended. After an
// error both are repeated.
Task<Result<DeliveryResult>> DeliveryPipeline::RecordPosted(
    const Delivery& delivery, const records::v1::AttemptResult& result) {
  TOCSIN_CO_TRY(const DeliveryResult delivered, co_await RecordResult(delivery, result));
  if (parts_.calls != nullptr && delivery.work.has_plan())
    TOCSIN_CO_CHECK_OK(co_await parts_.calls->End(delivery.work.attempt().alert_id()));
  co_return delivered;
}

// The store could not save the result: only its event keeps it. The event is published before the
// rest; until then only this process knows the result.
Task<Result<DeliveryResult>> DeliveryPipeline::RecordUnpersisted(
    const Delivery& delivery, const records::v1::AttemptResult& result) {
  const std::string attempt = AttemptText(delivery.work.attempt());
  unpersisted_.Put(attempt, result);
  FollowUp follow_up = FollowUpOf(delivery, result);
  FollowUp events_only;
  events_only.events = std::exchange(follow_up.events, {});
  std::vector<OutgoingRecord> events = RecordsOf(delivery, events_only);
  for (OutgoingRecord& event : events)
    event.headers.emplace_back(kHeaderUnpersisted, "1");  // the store is synced from it
  TOCSIN_CO_CHECK_OK(co_await parts_.log.PublishAll(std::move(events)));
  TOCSIN_CO_TRY(const DeliveryResult delivered,
                co_await PublishResult(delivery, result, std::move(follow_up)));
  unpersisted_.Erase(attempt);
  co_return delivered;
}

// After an error it is repeated until it succeeds.
Task<Result<DeliveryResult>> DeliveryPipeline::PublishResult(
    const Delivery& delivery, const records::v1::AttemptResult& result, FollowUp follow_up) {
  // Applied here at once; other processes read it from the topic.
  if (follow_up.consent) parts_.consents.Apply(*follow_up.consent);
  co_await NoteFailedTarget(parts_.claims, delivery.work, parts_.clock.Now(), follow_up);
  if (TOCSIN_FAILS_AT("outcome_produce")) co_return FailpointError();
  TOCSIN_CO_CHECK_OK(co_await PublishOnce(delivery, std::move(follow_up)));
  if (TOCSIN_FAILS_AT("outcome_report")) co_return FailpointError();
  reservations_.Erase(AttemptText(delivery.work.attempt()));
  co_return DeliveryResultOf(result);
}

// What follows in the plan is published by one of the copies of a target. The others wait for it:
// one of them may be the same record, read again after a rebalance, and its offset must not be
// stored before.
Task<Status> DeliveryPipeline::PublishOnce(const Delivery& delivery, FollowUp follow_up) {
  if (!follow_up.target_failed) co_return co_await PublishFollowUp(delivery, follow_up);
  const std::string attempt = AttemptText(delivery.work.attempt());
  const std::optional<bool> published = followed_targets_.Find(attempt);
  if (published == false)
    co_return Fail(ErrorCode::kOverloaded, "what follows in the plan is being published");
  if (published)
    follow_up.plan_work.clear();
  else
    followed_targets_.Put(attempt, false);
  Status result = co_await PublishFollowUp(delivery, follow_up);
  if (!published) followed_targets_.Erase(attempt);
  if (!published && result) followed_targets_.Put(attempt, true);
  co_return result;
}

Task<Status> DeliveryPipeline::PublishFollowUp(const Delivery& delivery,
                                               const FollowUp& follow_up) {
  TOCSIN_CO_CHECK_OK(co_await parts_.log.PublishAll(RecordsOf(delivery, follow_up)));
  co_return {};
}

std::vector<OutgoingRecord> DeliveryPipeline::RecordsOf(const Delivery& delivery,
                                                        const FollowUp& follow_up) const {
  return MakeFollowUpRecords(parts_.topics, follow_up, channel_, delivery.record.position,
                             OriginOf(delivery.record), parts_.clock.Now());
}

Task<Status> DeliveryPipeline::PublishWork(const Delivery& delivery,
                                           const records::v1::WorkRecord& work) {
  std::vector<OutgoingRecord> records;
  records.push_back(
      MakeWorkRecord(parts_.topics, work, OriginOf(delivery.record), parts_.clock.Now()));
  TOCSIN_CO_CHECK_OK(co_await parts_.log.PublishAll(std::move(records)));
  co_return {};
}

}  // namespace tocsin
