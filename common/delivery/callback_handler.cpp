#include "common/delivery/callback_handler.h"

#include "common/delivery/failed_target.h"
#include "common/domain/alert/alert_projection.h"
#include "common/domain/alert/ids.h"
#include "common/domain/delivery/call_retry.h"
#include "common/domain/delivery/known_attempt.h"
#include "common/domain/delivery/log_claim.h"
#include "common/domain/plan/plan.h"

namespace tocsin {
namespace {

std::string PositionText(const records::v1::Position& position) {
  return position.topic() + '/' + std::to_string(position.partition()) + '/' +
         std::to_string(position.offset());
}

// Whether the target of a plan may have failed. Most alerts have no plan, and most callbacks report
// a delivery: their work is not read.
bool MayEndTarget(const records::v1::WebhookRecord& callback) {
  const v1::Channel channel = callback.kind() == records::v1::WEBHOOK_KIND_VOICE_STATUS
                                  ? v1::CHANNEL_VOICE
                                  : v1::CHANNEL_SMS;
  return CannotReachGoal(callback.status(), channel, v1::REACH_ACKNOWLEDGED);
}

}  // namespace

bool CallbackHandler::Wants(const IncomingRecord& record) const {
  if (record.position.topic() != parts_.topics.Events()) return true;
  records::v1::Event event;
  if (!event.ParseFromString(record.value)) return false;
  if (!MayBeUnknownToStore(event) && !record.Header(kHeaderUnpersisted)) return false;
  return event.channel() == channel_ || event.channel() == v1::CHANNEL_UNSPECIFIED;
}

Task<Result<DeliveryResult>> CallbackHandler::Handle(const IncomingRecord& record) {
  if (record.position.topic() == parts_.topics.Events()) co_return co_await HandleEvent(record);
  co_return co_await HandleCallback(record);
}

Task<Result<DeliveryResult>> CallbackHandler::HandleEvent(const IncomingRecord& record) {
  records::v1::Event event;
  if (!Wants(record) || !event.ParseFromString(record.value))
    co_return DeliveryResult::kCallbackHandled;
  if (const std::optional<KnownAttempt> known = KnownAttemptOf(event))
    TOCSIN_CO_CHECK_OK(co_await parts_.claims.Sync(*known));
  if (event.has_acknowledged() || event.has_declined())
    TOCSIN_CO_CHECK_OK(co_await EndCalls(event.attempt().alert_id()));
  co_return DeliveryResult::kCallbackHandled;
}

Task<Result<DeliveryResult>> CallbackHandler::HandleCallback(const IncomingRecord& record) {
  records::v1::WebhookRecord callback;
  if (!callback.ParseFromString(record.value) || !IsRelevant(callback))
    co_return DeliveryResult::kCallbackHandled;
  const auto stored =
      co_await parts_.claims.SaveResult(callback.attempt(), kNoFence, ProvenByCallback(callback));
  // The SID belongs to another attempt, or is missing: Twilio contradicts itself. Audit keeps the
  // callback.
  if (!stored && stored.error().code != ErrorCode::kRedisUnavailable)
    co_return DeliveryResult::kCallbackHandled;
  if (!stored) {
    // The retry of an emergency does not wait for the store. The proof does.
    if (IsEmergency(callback) && retried_early_.Put(PositionText(record.position), true))
      TOCSIN_CO_CHECK_OK(co_await Retry(callback, OriginOf(record)));
    co_return Fail(stored.error());
  }
  const bool accepted = *stored && (*stored)->outcome() == records::v1::ATTEMPT_OUTCOME_ACCEPTED;
  if (accepted && WasAnsweredByPerson(ProvenByCallback(callback)))
    TOCSIN_CO_CHECK_OK(co_await EndCalls(callback.attempt().alert_id()));
  if (accepted) {
    TOCSIN_CO_TRY(const records::v1::WebhookRecord first,
                  co_await AsNotedFirst(callback, **stored));
    TOCSIN_CO_CHECK_OK(co_await Retry(first, OriginOf(record)));
  }
  co_return DeliveryResult::kCallbackHandled;
}

Task<Status> CallbackHandler::EndCalls(const std::string& alert_id) {
  if (parts_.calls == nullptr) co_return {};
  co_return co_await parts_.calls->End(alert_id);
}

bool CallbackHandler::IsEmergency(const records::v1::WebhookRecord& callback) const {
  return callback.work().topic() == parts_.topics.Lane(channel_, v1::PRIORITY_EMERGENCY);
}

bool CallbackHandler::IsRelevant(const records::v1::WebhookRecord& callback) const {
  return callback.has_attempt() && !callback.provider_sid().empty() && AlertEventOf(callback) &&
         parts_.topics.IsLaneOf(channel_, callback.work().topic()) &&
         parts_.clock.Now() - FromUnixMicros(callback.token_time_us()) <= kMaxCallbackAge;
}

Task<Status> CallbackHandler::Retry(const records::v1::WebhookRecord& callback,
                                    const RecordOrigin& origin) {
  if (!IsRetryable(callback) && !MayEndTarget(callback)) co_return {};
  TOCSIN_CO_TRY(const std::optional<records::v1::WorkRecord> work, co_await FindWork(callback));
  if (!work) co_return {};  // deleted from the log: the status of the callback is final
  co_return co_await PublishFollowUp(callback, *work, callback.work(), origin);
}

// The provider may report a failure again, and later. What follows is decided by what was noted
// first: until a later report, the time for another attempt may be over, or a key may be pressed.
Task<Result<records::v1::WebhookRecord>> CallbackHandler::AsNotedFirst(
    records::v1::WebhookRecord callback, const records::v1::AttemptResult& stored) {
  if (!IsRetryable(callback)) co_return callback;
  std::optional<WallTime> time;
  if (!IsPersonTakenForMachine(stored, callback)) time = FromUnixMicros(callback.receive_time_us());
  TOCSIN_CO_TRY(const std::optional<WallTime> first,
                co_await parts_.claims.NoteUndelivered(callback.attempt(), time));
  if (first)
    callback.set_receive_time_us(ToUnixMicros(*first));
  else
    callback.set_answered_by(v1::ANSWERED_BY_HUMAN);
  co_return callback;
}

Task<Status> CallbackHandler::PublishRetry(const records::v1::WebhookRecord& callback,
                                           const records::v1::AttemptResult& stored,
                                           const records::v1::WorkRecord& work,
                                           const std::optional<records::v1::Position>& position,
                                           const RecordOrigin& origin) {
  TOCSIN_CO_TRY(const records::v1::WebhookRecord first, co_await AsNotedFirst(callback, stored));
  co_return co_await PublishFollowUp(first, work, position, origin);
}

Task<Status> CallbackHandler::PublishFollowUp(const records::v1::WebhookRecord& callback,
                                              const records::v1::WorkRecord& work,
                                              const std::optional<records::v1::Position>& position,
                                              const RecordOrigin& origin) {
  const bool retryable = IsRetryable(callback);
  FollowUp follow_up = retryable ? DecideAfterUndelivered(work, callback, retry_)
                                 : DecideAfterLastCallback(work, callback);
  co_await NoteFailedTarget(parts_.claims, work, parts_.clock.Now(), follow_up);
  TOCSIN_CO_CHECK_OK(co_await parts_.log.PublishAll(MakeFollowUpRecords(
      parts_.topics, follow_up, channel_, position, origin, parts_.clock.Now())));
  if (!retryable) co_return {};
  const bool machine = UnreachedBy(*AlertEventOf(callback)) == v1::ATTEMPT_STATUS_ANSWERED_MACHINE;
  if (!machine || follow_up.next_work) co_return {};
  // No other call follows one that a machine answered: the alert has ended as delivered.
  KnownAttempt known = *KnownAttemptOf(callback);
  known.delivered = true;
  co_return co_await parts_.claims.Sync(known);
}

// From the store, or from the log at the position that the attempt token names.
Task<Result<std::optional<records::v1::WorkRecord>>> CallbackHandler::FindWork(
    const records::v1::WebhookRecord& callback) {
  records::v1::WorkRecord work;
  const Result<std::optional<std::string>> stored =
      co_await parts_.claims.FindWork(callback.attempt());
  if (!stored && !IsEmergency(callback)) co_return Fail(stored.error());
  if (stored && *stored && work.ParseFromString(**stored)) co_return std::optional(std::move(work));
  TOCSIN_CO_TRY(const std::optional<IncomingRecord> record,
                co_await parts_.history.At(callback.work()));
  if (!record || !work.ParseFromString(record->value) ||
      AttemptText(work.attempt()) != AttemptText(callback.attempt()))
    co_return std::optional<records::v1::WorkRecord>();
  co_return std::optional(std::move(work));
}

}  // namespace tocsin
