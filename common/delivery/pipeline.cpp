#include "common/delivery/pipeline.h"

#include <algorithm>
#include <utility>

#include "common/base/failpoint.h"
#include "common/delivery/follow_up_records.h"
#include "common/domain/alert/ids.h"
#include "common/ports/sealed_content.h"

namespace tocsin {
namespace {

// Bytes of an unparsable record that its dead letter keeps, so that it fits into a message.
constexpr size_t kMaxUnparsed = 900'000;

// Delay of work that waits for the claim store: down, or being restored.
constexpr Micros kStoreRetryDelay = std::chrono::seconds(2);

// The part of the time before the POST that is left after reading the log.
constexpr Micros kAfterReadingLog = std::chrono::milliseconds(500);

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
          work.kind() == records::v1::WORK_KIND_RESOLVE);
}

WallTime ExpireTime(const records::v1::WorkRecord& work) {
  return FromUnixMicros(work.expire_time_us());
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
              settings_.lease) {}

Result<DeliveryResult> DeliveryPipeline::Deliver(const IncomingRecord& record) {
  Delivery delivery{record, {}, parts_.registry.Now()};
  records::v1::WorkRecord& work = delivery.work;
  if (!ParseWork(record, channel_, work)) return DeadLetterUnparsable(record);
  if (work.kind() == records::v1::WORK_KIND_RESOLVE) return ResolveInDoubt(delivery);
  if (const auto result = unpersisted_.Find(AttemptText(work.attempt())))
    return RecordUnpersisted(delivery, *result);
  if (!claims_.StoreIsComplete(work) && !IsEmergency(work))
    return Reschedule(delivery, parts_.clock.Now() + kStoreRetryDelay);

  const Clearance clearance = Clear(work, *delivery.registry, parts_.consents, parts_.clock.Now());
  if (const auto* not_yet = std::get_if<NotYet>(&clearance))
    return Reschedule(delivery, not_yet->due);
  if (const auto* result = std::get_if<records::v1::AttemptResult>(&clearance))
    return EndWithoutPost(delivery, *result);
  const auto& cleared = std::get<ClearedAttempt>(clearance);

  TOCSIN_TRY(const std::optional<WallTime> reserved, ReserveRate(delivery, cleared));
  if (reserved && *reserved >= ExpireTime(work))
    return EndWithoutPost(delivery, NotAttempted(v1::ATTEMPT_STATUS_EXPIRED, ErrorCode::kExpired,
                                                 parts_.clock.Now()));
  if (reserved) return Reschedule(delivery, *reserved);

  Result<records::v1::Content> content = OpenContent(parts_.vault, work);
  if (!content && content.error().code == ErrorCode::kKmsUnavailable) return Fail(content.error());
  if (!content)
    return EndWithoutPost(delivery, NotAttempted(v1::ATTEMPT_STATUS_REJECTED,
                                                 ErrorCode::kDataCorrupted, parts_.clock.Now()));

  const SteadyTime post_by = parts_.clock.SteadyNow() + settings_.lease - settings_.post_timeout;
  TOCSIN_TRY(const ClaimReply claim, claims_.ClaimToSend(record, work));
  if (claim.state != ClaimReply::State::kGranted) return HandleClaimReply(delivery, claim);
  if (TOCSIN_FAILS_AT("claim")) return Fail(ErrorCode::kRedisUnavailable, "failpoint");

  const Result<records::v1::Position> started =
      claims_.PublishStarted(record, work, cleared.sender(), claim);  // on disk before the POST
  if (!started) return Release(delivery, claim, started.error());
  const auto earlier = FindEarlierStart(delivery, claim, *started, post_by);
  if (!earlier) return Release(delivery, claim, earlier.error());
  if (*earlier) return HandleEarlierStart(delivery, claim, **earlier);
  // The store and the log may have blocked for long.
  if (parts_.clock.SteadyNow() > post_by || parts_.clock.Now() >= ExpireTime(work))
    return Release(delivery, claim,
                   {ErrorCode::kOverloaded, "the lease or the alert expired before the POST"});

  const records::v1::AttemptResult result = Post(delivery, cleared, *std::move(content));
  ReportSubmitted(work, result);
  const auto stored = claims_.SaveResult(work, claim, result);
  if (!stored) return RecordUnpersisted(delivery, result);
  return RecordResult(delivery, stored->value_or(result));  // also if the claim was lost
}

Result<DeliveryResult> DeliveryPipeline::DeadLetterUnparsable(const IncomingRecord& record) {
  records::v1::DeadLetterRecord dead;
  dead.set_reason(std::string(TraitsOf(ErrorCode::kDataCorrupted).name));
  dead.set_explanation("not a work record of this channel");
  *dead.mutable_position() = record.position;
  dead.set_time_us(ToUnixMicros(record.append_time));
  dead.set_unparsed(record.value.substr(0, kMaxUnparsed));
  std::vector<OutgoingRecord> records;
  records.push_back(MakeRecord(parts_.topics.Dead(channel_), dead, OriginOf(record)));
  TOCSIN_CHECK_OK(parts_.log.PublishAndWait(std::move(records)));
  return DeliveryResult::kUnparsable;
}

// Clocks differ between workers: a lookup before its due time is made all the same.
Result<DeliveryResult> DeliveryPipeline::ResolveInDoubt(Delivery& delivery) {
  if (!claims_.StoreIsComplete(delivery.work))
    return Reschedule(delivery, parts_.clock.Now() + kStoreRetryDelay);
  const std::string lookup = LookupText(delivery.work);
  if (continued_lookups_.Find(lookup)) return DeliveryResult::kLookupPending;
  const Result<InDoubtFinding> finding = resolver_.Resolve(delivery.work, *delivery.registry);
  if (!finding) return HandleStoreError(delivery, finding.error());
  DeliveryResult delivered = DeliveryResult::kLookupPending;
  if (finding->result) {
    TOCSIN_TRY(delivered, RecordResult(delivery, *finding->result));
  } else {
    TOCSIN_CHECK_OK(PublishWork(
        delivery, NextLookup(delivery.work, settings_.retry.in_doubt, finding->read_list)));
  }
  continued_lookups_.Put(lookup, true);
  return delivered;
}

// Returns the reserved time, nothing if the attempt may be sent now. A reservation before the
// alert's expire time is stored in the work record.
Result<std::optional<WallTime>> DeliveryPipeline::ReserveRate(Delivery& delivery,
                                                              const ClearedAttempt& cleared) {
  records::v1::WorkRecord& work = delivery.work;
  const Sender& sender = cleared.sender();
  if (IsEmergency(work) || work.rate_reservation().sender_id() == sender.id)
    return std::optional<WallTime>();
  // Twilio limits segments by sender, but calls by account.
  const bool call = channel_ == v1::CHANNEL_VOICE;
  const double rate = call ? sender.calls_per_second : sender.segments_per_second;
  TOCSIN_TRY(
      const WallTime time,
      parts_.pacer.Reserve(call ? sender.account_sid : sender.id, rate * settings_.rate_factor,
                           call ? 1 : work.segment_count(), ExpireTime(work)));
  if (time >= ExpireTime(work)) return std::optional(time);
  if (time <= parts_.clock.Now() + kCountsAsNow) return std::optional<WallTime>();
  work.mutable_rate_reservation()->set_sender_id(sender.id);
  work.mutable_rate_reservation()->set_account_sid(sender.account_sid);
  work.mutable_rate_reservation()->set_time_us(ToUnixMicros(time));
  return std::optional(time);
}

// Another process's start of the same attempt that the log contains before ours. Fails if the log
// cannot be read and the store does not suffice.
Result<std::optional<LogClaim>> DeliveryPipeline::FindEarlierStart(
    const Delivery& delivery, const ClaimReply& claim, const records::v1::Position& started,
    SteadyTime post_by) {
  if (!claims_.MustReadLog(delivery.record, delivery.work, claim)) return std::optional<LogClaim>();
  const Result<LogClaim> log_claim =
      claims_.ReadLog(delivery.work, claim, started, post_by - kAfterReadingLog);
  if (!log_claim && !claims_.StoreSuffices(claim)) return Fail(log_claim.error());
  if (!log_claim || log_claim->verdict() == LogClaim::Verdict::kOurs)
    return std::optional<LogClaim>();
  return std::optional(*log_claim);
}

records::v1::AttemptResult DeliveryPipeline::Post(const Delivery& delivery,
                                                  const ClearedAttempt& cleared,
                                                  records::v1::Content content) {
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
      parts_.provider.Send(dispatch, parts_.clock.SteadyNow() + settings_.post_timeout);
  result.set_begin_time_us(ToUnixMicros(begin_time));
  result.set_end_time_us(ToUnixMicros(parts_.clock.Now()));
  result.set_sender_id(cleared.sender().id);
  result.set_account_sid(cleared.sender().account_sid);
  return result;
}

void DeliveryPipeline::ReportSubmitted(const records::v1::WorkRecord& work,
                                       const records::v1::AttemptResult& result) const {
  if (result.outcome() != records::v1::ATTEMPT_OUTCOME_ACCEPTED || work.attempt().attempt() != 1)
    return;
  const std::int64_t due_us =
      std::max({work.create_time_us(), work.send_time_us(), work.first_publish_time_us()});
  parts_.probe.OnSubmitted(work.priority(), Micros(result.end_time_us() - due_us));
}

Result<DeliveryResult> DeliveryPipeline::Reschedule(Delivery& delivery, WallTime due) {
  delivery.work.set_due_time_us(ToUnixMicros(due));
  delivery.work.clear_acceptance();  // audit reads it from the record that accepted the alert
  TOCSIN_CHECK_OK(PublishWork(delivery, delivery.work));
  return DeliveryResult::kRescheduled;
}

// The claim decides: the result counts only if the attempt never started.
Result<DeliveryResult> DeliveryPipeline::EndWithoutPost(Delivery& delivery,
                                                        const records::v1::AttemptResult& result) {
  if (!claims_.StoreIsComplete(delivery.work))
    return Reschedule(delivery, parts_.clock.Now() + kStoreRetryDelay);
  const Result<ClaimReply> claim = claims_.Claim(delivery.record, delivery.work, result);
  if (!claim) return HandleStoreError(delivery, claim.error());
  return HandleClaimReply(delivery, *claim);
}

// The claim was not granted: what the store knows of the attempt decides.
Result<DeliveryResult> DeliveryPipeline::HandleClaimReply(Delivery& delivery,
                                                          const ClaimReply& claim) {
  switch (claim.state) {
    case ClaimReply::State::kGranted: break;  // impossible: only claims to send are granted
    case ClaimReply::State::kDone:
    case ClaimReply::State::kStopped: return RecordResult(delivery, *claim.result);
    case ClaimReply::State::kBusy:
      return Reschedule(delivery, parts_.clock.Now() + claim.lease_left);
    case ClaimReply::State::kLapsed: return HandleLapsedClaim(delivery, claim);
  }
  return Fail(ErrorCode::kInternal, "a claim without a POST was granted");
}

// The holder stored no result. If it stopped before it published its start, it made no POST. After
// a crash many claims lapse at once: a few are looked up concurrently, the others are rescheduled
// and occupy no sender.
Result<DeliveryResult> DeliveryPipeline::HandleLapsedClaim(Delivery& delivery,
                                                           const ClaimReply& claim) {
  if (!lapsed_lookups_.try_acquire())
    return Reschedule(delivery, parts_.clock.Now() + kLapsedRetryDelay);
  const Result<bool> started = claims_.WasStarted(delivery.work, claim);
  lapsed_lookups_.release();
  if (!started) return Fail(started.error());
  if (!*started)
    return Release(delivery, claim,
                   {ErrorCode::kOverloaded, "the lapsed claim was never started; claiming again"});
  TOCSIN_TRY(const auto stored,
             parts_.claims.SaveResult(delivery.work.attempt(), kNoFence,
                                      InDoubtResultOf(delivery, claim.begin_time)));
  if (!stored) return Fail(ErrorCode::kOverloaded, "claim lost; claiming again");
  return RecordResult(delivery, *stored);
}

// Our claim is kept meanwhile, so that the store grants the attempt to no other process; but the
// store learns of the other start.
Result<DeliveryResult> DeliveryPipeline::HandleEarlierStart(Delivery& delivery,
                                                            const ClaimReply& claim,
                                                            const LogClaim& other) {
  const bool in_store = !IsDecidedByLog(claim);
  records::v1::AttemptResult result = other.result();
  if (other.verdict() == LogClaim::Verdict::kStarted) {
    if (in_store) TOCSIN_CHECK_OK(claims_.SyncStore(delivery.work, other));
    if (other.lease_until() > parts_.clock.Now()) return Reschedule(delivery, other.lease_until());
    result = InDoubtResultOf(delivery, other.began());
  }
  if (in_store) {
    TOCSIN_TRY(const auto stored,
               parts_.claims.SaveResult(delivery.work.attempt(), claim.fence, result));
    if (stored) result = *stored;
  }
  return RecordResult(delivery, result);
}

Result<DeliveryResult> DeliveryPipeline::Release(const Delivery& delivery, const ClaimReply& claim,
                                                 Error reason) {
  TOCSIN_CHECK_OK(claims_.Release(delivery.work, claim));
  return Fail(std::move(reason));
}

// An emergency that cannot proceed without the store must not block a sender for one that can.
Result<DeliveryResult> DeliveryPipeline::HandleStoreError(Delivery& delivery, const Error& error) {
  if (!claims_.IsStoreDown(error) || !IsEmergency(delivery.work)) return Fail(error);
  return Reschedule(delivery, parts_.clock.Now() + kStoreRetryDelay);
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

Result<DeliveryResult> DeliveryPipeline::RecordResult(const Delivery& delivery,
                                                      const records::v1::AttemptResult& result) {
  return PublishResult(delivery, result, FollowUpOf(delivery, result));
}

// The store could not save the result: only its event keeps it. The event is published before the
// rest; until then only this process knows the result.
Result<DeliveryResult> DeliveryPipeline::RecordUnpersisted(
    const Delivery& delivery, const records::v1::AttemptResult& result) {
  const std::string attempt = AttemptText(delivery.work.attempt());
  unpersisted_.Put(attempt, result);
  FollowUp follow_up = FollowUpOf(delivery, result);
  FollowUp events_only;
  events_only.events = std::exchange(follow_up.events, {});
  TOCSIN_CHECK_OK(PublishFollowUp(delivery, events_only));
  TOCSIN_TRY(const DeliveryResult delivered, PublishResult(delivery, result, follow_up));
  unpersisted_.Erase(attempt);
  return delivered;
}

// After an error it is repeated until it succeeds.
Result<DeliveryResult> DeliveryPipeline::PublishResult(const Delivery& delivery,
                                                       const records::v1::AttemptResult& result,
                                                       const FollowUp& follow_up) {
  // Applied here at once; other processes read it from the topic.
  if (follow_up.consent) parts_.consents.Apply(*follow_up.consent);
  if (TOCSIN_FAILS_AT("outcome_produce")) return FailpointError();
  TOCSIN_CHECK_OK(PublishFollowUp(delivery, follow_up));
  if (TOCSIN_FAILS_AT("outcome_report")) return FailpointError();
  return DeliveryResultOf(result);
}

Status DeliveryPipeline::PublishFollowUp(const Delivery& delivery, const FollowUp& follow_up) {
  TOCSIN_CHECK_OK(parts_.log.PublishAndWait(
      MakeFollowUpRecords(parts_.topics, follow_up, channel_, delivery.record.position,
                          OriginOf(delivery.record), parts_.clock.Now())));
  return {};
}

Status DeliveryPipeline::PublishWork(const Delivery& delivery,
                                     const records::v1::WorkRecord& work) {
  std::vector<OutgoingRecord> records;
  records.push_back(
      MakeWorkRecord(parts_.topics, work, OriginOf(delivery.record), parts_.clock.Now()));
  TOCSIN_CHECK_OK(parts_.log.PublishAndWait(std::move(records)));
  return {};
}

}  // namespace tocsin
