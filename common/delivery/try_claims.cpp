#include "common/delivery/try_claims.h"

#include <utility>

#include "common/base/failpoint.h"
#include "common/delivery/outgoing.h"
#include "common/domain/ids.h"
#include "common/domain/known_try.h"
#include "common/domain/settlement.h"

namespace tocsin {
namespace {

// How far the clocks of those who write the log may be apart.
constexpr Micros kClockGrain = std::chrono::minutes(1);

// A repetition of a call while the store is away is a record of its own, of the same try.
constexpr Micros kRepeatedWithin = std::chrono::minutes(15);

// How long a claim that lapsed may be looked up in the log.
constexpr Micros kBeginLimit = std::chrono::seconds(10);

bool IsEmergency(const v1::WorkRecord& work) { return work.class_() == v1::ALERT_CLASS_EMERGENCY; }

bool IsBegin(const v1::Event& event) {
  return event.try_changed().status() == v1::TRY_STATUS_SENDING;
}

std::string BeginName(const v1::TryName& name, std::int64_t began_us) {
  return TryText(name) + '@' + std::to_string(began_us);
}

// What a failpoint makes of a publish.
Result<std::vector<v1::Position>> NotPublished() {
  return Fail(ErrorCode::kOutcomeUnknown, "a failpoint");
}

}  // namespace

bool TryClaims::Knows(const v1::WorkRecord& work) const {
  return KnownFrom(work) >= parts_.store.KnownSince();
}

void TryClaims::Watch(const std::optional<Error>& error) {
  const SteadyTime now = parts_.clock.SteadyNow();
  if (!error) watch_.Answered(now);
  if (error && error->code == ErrorCode::kRedisUnavailable) watch_.WasSilent(now);
}

bool TryClaims::IsAway(const Error& error) {
  if (error.code != ErrorCode::kRedisUnavailable) return false;
  Watch(error);
  return watch_.SilentFor(kStoreAway, parts_.clock.SteadyNow());
}

Result<Claim> TryClaims::Take(const v1::WorkRecord& work, const std::string& bytes,
                              std::optional<v1::Receipt> verdict) {
  Result<Claim> claim = parts_.store.Take({.name = work.try_(),
                                           .client_id = work.client_id(),
                                           .owner = owner_,
                                           .lease = lease_,
                                           .end = std::move(verdict),
                                           .work = bytes,
                                           .twins = TwinsOf(work),
                                           .not_after = FromUnixMicros(work.not_after_us())});
  Watch(claim ? std::nullopt : std::optional(claim.error()));
  return claim;
}

// Of emergencies one a second asks a store that is silent: a call to it costs its whole time-out.
Result<Claim> TryClaims::TakeToSend(const v1::WorkRecord& work, const std::string& bytes) {
  Claim by_log;
  by_log.state = Claim::State::kGranted;
  by_log.began = parts_.clock.Now();
  if (!Knows(work)) return by_log;
  if (IsEmergency(work) && !watch_.MayBeAsked(kStoreAway, parts_.clock.SteadyNow())) return by_log;
  Result<Claim> taken = Take(work, bytes, std::nullopt);
  if (taken || !IsAway(taken.error()) || !IsEmergency(work)) return taken;
  return by_log;
}

Result<v1::Position> TryClaims::TellBegin(const IncomingRecord& record, const v1::WorkRecord& work,
                                          const Sender& sender, const Claim& claim) {
  const std::int64_t began_us = ToUnixMicros(claim.began);
  v1::Event started =
      TryStarted(work, began_us, began_us + lease_.count(), sender.id, sender.account_sid);
  if (IsByLog(claim)) started.mutable_try_changed()->set_remark(std::string(kBegunByLog));
  std::vector<OutgoingRecord> said;
  said.push_back(RecordMaker(parts_.topics, record).Of(parts_.topics.Events(), started));
  auto published = TOCSIN_FAILS_AT("started_produce") ? NotPublished()
                                                      : parts_.log.PublishAndWait(std::move(said));
  if (TOCSIN_FAILS_AT("started_report")) published = NotPublished();
  if (!published) return Fail(published.error());
  return std::move(published->front());
}

Status TryClaims::GiveBack(const v1::WorkRecord& work, const Claim& claim) {
  given_back_.Put(BeginName(work.try_(), ToUnixMicros(claim.began)), true);
  if (IsByLog(claim)) return {};
  return parts_.store.Release(work.try_(), claim.fence);
}

bool TryClaims::LogMayKnowMore(const IncomingRecord& record, const v1::WorkRecord& work,
                               const Claim& claim) const {
  return IsByLog(claim) || (IsEmergency(work) && (record.inherited || !StoreSuffices(claim)));
}

bool TryClaims::StoreSuffices(const Claim& claim) const {
  return !IsByLog(claim) && watch_.AnsweredFor(kStoreTrusted, parts_.clock.SteadyNow());
}

Result<LogClaim> TryClaims::AskLog(const v1::WorkRecord& work, const Claim& claim,
                                   const v1::Position& begun, SteadyTime deadline) {
  LogClaim told(work.try_(), begun,
                IsByLog(claim) ? LogClaim::Begins::kAll : LogClaim::Begins::kByLog);
  const Micros before = IsByLog(claim) ? kRepeatedWithin : kClockGrain;
  TOCSIN_CHECK_OK(parts_.history.ReadTo(
      begun, KnownFrom(work) - before, deadline, [&](const IncomingRecord& record) {
        v1::Event event;
        if (!event.ParseFromString(record.value)) return;
        if (IsBegin(event) && given_back_.Find(BeginName(event.try_(), event.time_us()))) return;
        told.Apply(event, record.position);
      }));
  if (told.verdict() == LogClaim::Verdict::kUnread)
    return Fail(ErrorCode::kKafkaUnavailable, "the begin of a try was not read back");
  return told;
}

Result<bool> TryClaims::WasBegun(const v1::WorkRecord& work, const Claim& claim) {
  bool begun = false;
  const std::string name = TryText(work.try_());
  TOCSIN_CHECK_OK(parts_.history.ReadKey(
      parts_.topics.Events(), work.try_().alert_id(), claim.began - kClockGrain,
      parts_.clock.SteadyNow() + kBeginLimit, [&](const IncomingRecord& record) {
        v1::Event event;
        if (!event.ParseFromString(record.value) || !IsBegin(event)) return;
        if (TryText(event.try_()) != name) return;
        begun = begun || !given_back_.Find(BeginName(event.try_(), event.time_us()));
      }));
  return begun;
}

Result<v1::Receipt> TryClaims::Keep(const v1::WorkRecord& work, const Claim& claim,
                                    const v1::Receipt& receipt) {
  if (IsByLog(claim) && !watch_.MayBeAsked(kStoreAway, parts_.clock.SteadyNow()))
    return Fail(ErrorCode::kRedisUnavailable, "the store is silent; the facts tell it later");
  Result<v1::Receipt> stands = parts_.store.Keep(work.try_(), claim.fence, receipt);
  Watch(stands ? std::nullopt : std::optional(stands.error()));
  return stands;
}

Status TryClaims::TellStore(const v1::WorkRecord& work, const LogClaim& told) {
  return parts_.store.Learn({.name = work.try_(),
                             .client_id = work.client_id(),
                             .time = told.began(),
                             .lease_until = told.lease_until(),
                             .receipt = {}});
}

}  // namespace tocsin
