#include "common/delivery/attempt_claims.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/base/failpoint.h"
#include "common/delivery/follow_up_records.h"
#include "common/domain/alert/ids.h"
#include "common/domain/delivery/follow_up.h"
#include "common/domain/delivery/known_attempt.h"
#include "common/domain/plan/plan.h"

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

Task<void> AttemptClaims::WatchStore(Scheduler& scheduler) {
  while (true) {
    const Status pong = co_await parts_.store.Ping();
    RecordOutcome(pong ? std::nullopt : std::optional(pong.error()));
    co_await Sleep(scheduler, kPingInterval);
  }
}

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

Task<Result<ClaimReply>> AttemptClaims::Claim(
    const IncomingRecord& record, const records::v1::WorkRecord& work,
    std::optional<records::v1::AttemptResult> not_attempted) {
  std::optional<AcceptedAlert> accepted;
  if (!work.acceptance().idempotency_digest().empty())
    accepted = AcceptedAlertOf(work, record.position);
  std::optional<AckCode> ack_code;
  if (!work.ack_code().empty())
    ack_code = AckCode{.recipient_token = work.recipient().token(), .code = work.ack_code()};
  const ClaimRequest request{.attempt = work.attempt(),
                             .client_id = work.client_id(),
                             .owner = owner_,
                             .lease = lease_,
                             .not_attempted = std::move(not_attempted),
                             .work = record.value,
                             .duplicate_key = DuplicateKey(work),
                             .expire_time = FromUnixMicros(work.expire_time_us()),
                             .ack_code = std::move(ack_code),
                             .accepted = std::move(accepted),
                             .plan = PlanConditionOf(work)};
  Result<ClaimReply> claim = co_await parts_.store.Claim(request);
  // The others may be replies of a store that refuses writes.
  if (claim && claim->state == ClaimReply::State::kGranted) RecordOutcome(std::nullopt);
  if (!claim) RecordOutcome(claim.error());
  co_return claim;
}

// While the store is down, one emergency per second still sends it a request, which costs a whole
// timeout.
Task<Result<ClaimReply>> AttemptClaims::ClaimToSend(const IncomingRecord& record,
                                                    const records::v1::WorkRecord& work) {
  ClaimReply by_log;
  by_log.state = ClaimReply::State::kGranted;
  by_log.begin_time = parts_.clock.Now();
  if (!StoreIsComplete(work)) co_return by_log;
  if (IsEmergency(work) && !breaker_.AllowRequest(kStoreDownAfter, parts_.clock.SteadyNow()))
    co_return by_log;
  Result<ClaimReply> claim = co_await Claim(record, work, std::nullopt);
  if (claim || !IsStoreDown(claim.error()) || !IsEmergency(work)) co_return claim;
  co_return by_log;
}

Task<Result<records::v1::Position>> AttemptClaims::PublishStarted(
    const IncomingRecord& record, const records::v1::WorkRecord& work, const Sender& sender,
    const ClaimReply& claim) {
  const std::int64_t begin_time_us = ToUnixMicros(claim.begin_time);
  records::v1::Event started = AttemptStarted(work, begin_time_us, begin_time_us + lease_.count(),
                                              sender.id, sender.account_sid);
  if (IsDecidedByLog(claim)) {
    // The store may grant the attempt to another process in the same microsecond.
    const std::string seed = "started/log/" + std::to_string(begin_time_us + lease_.count());
    started.set_event_id(EventId(work.attempt(), seed));
    started.mutable_attempt_changed()->set_note(std::string(kStartedByLog));
  }
  // Before the start, so that the log contains what follows every attempt that has started.
  std::vector<OutgoingRecord> following;
  for (const records::v1::WorkRecord& next : RecordsAtStart(work, claim.begin_time))
    following.push_back(MakeWorkRecord(parts_.topics, next, OriginOf(record), parts_.clock.Now()));
  if (!following.empty()) TOCSIN_CO_CHECK_OK(co_await parts_.log.PublishAll(std::move(following)));
  std::vector<OutgoingRecord> records;
  records.push_back(MakeRecord(parts_.topics.Events(), started, OriginOf(record)));
  auto published = FailpointError();
  if (!TOCSIN_FAILS_AT("started_produce"))
    published = co_await parts_.log.PublishAll(std::move(records));
  if (TOCSIN_FAILS_AT("started_report")) published = FailpointError();
  if (!published) co_return Fail(published.error());
  co_return std::move(published->front());
}

Task<Status> AttemptClaims::Release(const records::v1::WorkRecord& work, const ClaimReply& claim) {
  aborted_starts_.Put(StartKey(work.attempt(), ToUnixMicros(claim.begin_time)), true);
  if (IsDecidedByLog(claim)) co_return {};
  co_return co_await parts_.store.Release(work.attempt(), claim.fence);
}

bool AttemptClaims::MustReadLog(const IncomingRecord& record, const records::v1::WorkRecord& work,
                                const ClaimReply& claim) const {
  return IsDecidedByLog(claim) ||
         (IsEmergency(work) && (record.predates_assignment || !StoreSuffices(claim)));
}

bool AttemptClaims::StoreIsSynced() const {
  return breaker_.RespondingFor(kStoreTrustedAfter, parts_.clock.SteadyNow());
}

bool AttemptClaims::StoreSuffices(const ClaimReply& claim) const {
  return !IsDecidedByLog(claim) && StoreIsSynced();
}

Task<Result<LogClaim>> AttemptClaims::ReadLog(const records::v1::WorkRecord& work,
                                              const ClaimReply& claim,
                                              const records::v1::Position& started,
                                              SteadyTime deadline) {
  const bool by_log = IsDecidedByLog(claim);
  LogClaim log_claim(work.attempt(), started,
                     by_log ? LogClaim::Starts::kAll : LogClaim::Starts::kByLog,
                     PlanConditionOf(work));
  const Micros window = by_log ? kRepeatWindow : kClockSkew;
  TOCSIN_CO_TRY(const std::vector<IncomingRecord> records,
                co_await parts_.history.ReadTo(work.attempt().alert_id(), started,
                                               EarliestEventTime(work) - window, deadline));
  for (const IncomingRecord& record : records) {
    records::v1::Event event;
    if (!event.ParseFromString(record.value)) continue;
    if (IsStart(event) && aborted_starts_.Find(StartKey(event.attempt(), event.time_us())))
      continue;
    log_claim.Apply(event, record.position);
  }
  if (log_claim.verdict() == LogClaim::Verdict::kUnread)
    co_return Fail(ErrorCode::kKafkaUnavailable,
                   "the SENDING event was not read back from the log");
  co_return log_claim;
}

Task<Result<bool>> AttemptClaims::WasStarted(const records::v1::WorkRecord& work,
                                             const ClaimReply& claim) {
  TOCSIN_CO_TRY(const std::vector<IncomingRecord> records,
                co_await parts_.history.ReadAll(work.attempt().alert_id(), parts_.topics.Events(),
                                                claim.begin_time - kClockSkew,
                                                parts_.clock.SteadyNow() + kFindStartTimeout));
  const std::string attempt = AttemptText(work.attempt());
  co_return std::ranges::any_of(records, [&](const IncomingRecord& record) {
    records::v1::Event event;
    return event.ParseFromString(record.value) && IsStart(event) &&
           AttemptText(event.attempt()) == attempt &&
           !aborted_starts_.Find(StartKey(event.attempt(), event.time_us()));
  });
}

Task<Result<std::optional<records::v1::AttemptResult>>> AttemptClaims::SaveResult(
    const records::v1::WorkRecord& work, const ClaimReply& claim,
    const records::v1::AttemptResult& result) {
  if (IsDecidedByLog(claim) && !breaker_.AllowRequest(kStoreDownAfter, parts_.clock.SteadyNow()))
    co_return Fail(ErrorCode::kRedisUnavailable,
                   "the claim store is down; it is synced from the log");
  auto stored = co_await parts_.store.SaveResult(work.attempt(), claim.fence, result);
  RecordOutcome(stored ? std::nullopt : std::optional(stored.error()));
  co_return stored;
}

Task<Status> AttemptClaims::SyncStore(const records::v1::WorkRecord& work, const LogClaim& other) {
  const KnownAttempt known{.name = work.attempt(),
                           .client_id = work.client_id(),
                           .time = other.began(),
                           .lease_until = other.lease_until(),
                           .result = {}};
  co_return co_await parts_.store.Sync(known);
}

}  // namespace tocsin
