#include "common/delivery/attempt_claims.h"

#include <utility>

#include "common/base/failpoint.h"
#include "common/delivery/follow_up_records.h"
#include "common/domain/alert/ids.h"
#include "common/domain/delivery/follow_up.h"
#include "common/domain/delivery/known_attempt.h"

namespace tocsin {
namespace {

// Maximum difference between the clocks of the processes that write the log.
constexpr Micros kClockSkew = std::chrono::minutes(1);

// While the store is down, a repeated request publishes its own work record of the same attempt.
// Its start may be this much older than the work record being delivered.
constexpr Micros kRepeatWindow = std::chrono::minutes(15);

// Timeout for finding the start of a lapsed claim in the log.
constexpr Micros kFindStartTimeout = std::chrono::seconds(10);

bool IsEmergency(const records::v1::WorkRecord& work) {
  return work.priority() == v1::PRIORITY_EMERGENCY;
}

bool IsStart(const records::v1::Event& event) {
  return event.attempt_changed().status() == v1::ATTEMPT_STATUS_SENDING;
}

std::string StartKey(const v1::AttemptRef& attempt, std::int64_t begin_time_us) {
  return AttemptText(attempt) + '@' + std::to_string(begin_time_us);
}

// The result of a publish at an armed failpoint.
Result<std::vector<records::v1::Position>> FailpointError() {
  return Fail(ErrorCode::kOutcomeUnknown, "failpoint");
}

}  // namespace

bool AttemptClaims::StoreIsComplete(const records::v1::WorkRecord& work) const {
  return EarliestEventTime(work) >= parts_.store.CompleteSince();
}

void AttemptClaims::RecordOutcome(const std::optional<Error>& error) {
  const SteadyTime now = parts_.clock.SteadyNow();
  if (!error) breaker_.RecordSuccess(now);
  if (error && error->code == ErrorCode::kRedisUnavailable) breaker_.RecordFailure(now);
}

bool AttemptClaims::IsStoreDown(const Error& error) {
  if (error.code != ErrorCode::kRedisUnavailable) return false;
  RecordOutcome(error);
  return breaker_.FailingFor(kStoreDownAfter, parts_.clock.SteadyNow());
}

Result<ClaimReply> AttemptClaims::Claim(const IncomingRecord& record,
                                        const records::v1::WorkRecord& work,
                                        std::optional<records::v1::AttemptResult> not_attempted) {
  std::optional<AcceptedAlert> accepted;
  if (!work.acceptance().idempotency_digest().empty())
    accepted = AcceptedAlertOf(work, record.position);
  Result<ClaimReply> claim =
      parts_.store.Claim({.attempt = work.attempt(),
                          .client_id = work.client_id(),
                          .owner = owner_,
                          .lease = lease_,
                          .not_attempted = std::move(not_attempted),
                          .work = record.value,
                          .duplicate_key = DuplicateKey(work),
                          .expire_time = FromUnixMicros(work.expire_time_us()),
                          .accepted = std::move(accepted)});
  RecordOutcome(claim ? std::nullopt : std::optional(claim.error()));
  return claim;
}

// While the store is down, one emergency a second still asks it: a request costs a whole timeout.
Result<ClaimReply> AttemptClaims::ClaimToSend(const IncomingRecord& record,
                                              const records::v1::WorkRecord& work) {
  ClaimReply by_log;
  by_log.state = ClaimReply::State::kGranted;
  by_log.begin_time = parts_.clock.Now();
  if (!StoreIsComplete(work)) return by_log;
  if (IsEmergency(work) && !breaker_.AllowRequest(kStoreDownAfter, parts_.clock.SteadyNow()))
    return by_log;
  Result<ClaimReply> claim = Claim(record, work, std::nullopt);
  if (claim || !IsStoreDown(claim.error()) || !IsEmergency(work)) return claim;
  return by_log;
}

Result<records::v1::Position> AttemptClaims::PublishStarted(const IncomingRecord& record,
                                                            const records::v1::WorkRecord& work,
                                                            const Sender& sender,
                                                            const ClaimReply& claim) {
  const std::int64_t begin_time_us = ToUnixMicros(claim.begin_time);
  records::v1::Event started = AttemptStarted(work, begin_time_us, begin_time_us + lease_.count(),
                                              sender.id, sender.account_sid);
  if (IsDecidedByLog(claim))
    started.mutable_attempt_changed()->set_note(std::string(kStartedByLog));
  std::vector<OutgoingRecord> records;
  records.push_back(MakeRecord(parts_.topics.Events(), started, OriginOf(record)));
  auto published = TOCSIN_FAILS_AT("started_produce")
                       ? FailpointError()
                       : parts_.log.PublishAndWait(std::move(records));
  if (TOCSIN_FAILS_AT("started_report")) published = FailpointError();
  if (!published) return Fail(published.error());
  return std::move(published->front());
}

Status AttemptClaims::Release(const records::v1::WorkRecord& work, const ClaimReply& claim) {
  aborted_starts_.Put(StartKey(work.attempt(), ToUnixMicros(claim.begin_time)), true);
  if (IsDecidedByLog(claim)) return {};
  return parts_.store.Release(work.attempt(), claim.fence);
}

bool AttemptClaims::MustReadLog(const IncomingRecord& record, const records::v1::WorkRecord& work,
                                const ClaimReply& claim) const {
  return IsDecidedByLog(claim) ||
         (IsEmergency(work) && (record.predates_assignment || !StoreSuffices(claim)));
}

bool AttemptClaims::StoreSuffices(const ClaimReply& claim) const {
  return !IsDecidedByLog(claim) &&
         breaker_.RespondingFor(kStoreTrustedAfter, parts_.clock.SteadyNow());
}

Result<LogClaim> AttemptClaims::ReadLog(const records::v1::WorkRecord& work,
                                        const ClaimReply& claim,
                                        const records::v1::Position& started, SteadyTime deadline) {
  const bool by_log = IsDecidedByLog(claim);
  LogClaim log_claim(work.attempt(), started,
                     by_log ? LogClaim::Starts::kAll : LogClaim::Starts::kByLog);
  const auto apply = [&](const IncomingRecord& record) {
    records::v1::Event event;
    if (!event.ParseFromString(record.value)) return;
    if (IsStart(event) && aborted_starts_.Find(StartKey(event.attempt(), event.time_us()))) return;
    log_claim.Apply(event, record.position);
  };
  TOCSIN_CHECK_OK(parts_.history.ReadTo(
      started, EarliestEventTime(work) - (by_log ? kRepeatWindow : kClockSkew), deadline, apply));
  if (log_claim.verdict() == LogClaim::Verdict::kUnread)
    return Fail(ErrorCode::kKafkaUnavailable, "the SENDING event was not read back from the log");
  return log_claim;
}

Result<bool> AttemptClaims::WasStarted(const records::v1::WorkRecord& work,
                                       const ClaimReply& claim) {
  bool started = false;
  const std::string attempt = AttemptText(work.attempt());
  const auto find_start = [&](const IncomingRecord& record) {
    records::v1::Event event;
    if (!event.ParseFromString(record.value) || !IsStart(event)) return;
    if (AttemptText(event.attempt()) != attempt) return;
    started = started || !aborted_starts_.Find(StartKey(event.attempt(), event.time_us()));
  };
  TOCSIN_CHECK_OK(parts_.history.ReadKey(parts_.topics.Events(), work.attempt().alert_id(),
                                         claim.begin_time - kClockSkew,
                                         parts_.clock.SteadyNow() + kFindStartTimeout, find_start));
  return started;
}

Result<std::optional<records::v1::AttemptResult>> AttemptClaims::SaveResult(
    const records::v1::WorkRecord& work, const ClaimReply& claim,
    const records::v1::AttemptResult& result) {
  if (IsDecidedByLog(claim) && !breaker_.AllowRequest(kStoreDownAfter, parts_.clock.SteadyNow()))
    return Fail(ErrorCode::kRedisUnavailable, "the claim store is down; it is synced from the log");
  auto stored = parts_.store.SaveResult(work.attempt(), claim.fence, result);
  RecordOutcome(stored ? std::nullopt : std::optional(stored.error()));
  return stored;
}

Status AttemptClaims::SyncStore(const records::v1::WorkRecord& work, const LogClaim& other) {
  return parts_.store.Sync({.name = work.attempt(),
                            .client_id = work.client_id(),
                            .time = other.began(),
                            .lease_until = other.lease_until(),
                            .result = {}});
}

}  // namespace tocsin
