#include "common/delivery/callback_desk.h"

#include <algorithm>
#include <utility>

#include "common/delivery/outgoing.h"
#include "common/domain/folding.h"
#include "common/domain/ids.h"
#include "common/domain/known_try.h"
#include "common/domain/log_claim.h"

namespace tocsin {
namespace {

std::string PositionText(const v1::Position& position) {
  return position.topic() + '/' + std::to_string(position.partition()) + '/' +
         std::to_string(position.offset());
}

}  // namespace

bool CallbackDesk::Wants(const IncomingRecord& record) const {
  if (record.position.topic() != parts_.topics.Events()) return true;
  v1::Event event;
  if (!event.ParseFromString(record.value) || !MayBeUnknownToStore(event)) return false;
  return event.channel() == channel_ || event.channel() == v1::CHANNEL_UNSPECIFIED;
}

Result<Passage> CallbackDesk::Take(const IncomingRecord& record) {
  if (record.position.topic() == parts_.topics.Events()) return Learn(record);
  v1::WebhookRecord callback;
  if (!callback.ParseFromString(record.value) || !Concerns(callback)) return Passage::kNoted;
  const Result<v1::Receipt> kept =
      parts_.claims.Keep(callback.try_(), 0, ProvenByCallback(callback));
  // Another try's SID, or none: Twilio contradicts itself, and the audit keeps what it said.
  if (!kept && kept.error().code != ErrorCode::kRedisUnavailable) return Passage::kNoted;
  if (!kept) {
    // What follows from an emergency's failure does not wait for the store; that it was taken does.
    if (IsEmergency(callback) && hurried_.Put(PositionText(record.position), true))
      TOCSIN_CHECK_OK(TryAgain(record, callback));
    return Fail(kept.error());
  }
  if (kept->outcome() == v1::RECEIPT_OUTCOME_ACCEPTED) TOCSIN_CHECK_OK(TryAgain(record, callback));
  return Passage::kNoted;
}

bool CallbackDesk::IsEmergency(const v1::WebhookRecord& callback) const {
  return callback.work().topic() == parts_.topics.Lane(channel_, v1::ALERT_CLASS_EMERGENCY);
}

Result<Passage> CallbackDesk::Learn(const IncomingRecord& record) {
  v1::Event event;
  if (!Wants(record) || !event.ParseFromString(record.value)) return Passage::kNoted;
  if (const std::optional<KnownTry> known = KnownTryOf(event))
    TOCSIN_CHECK_OK(parts_.claims.Learn(*known));
  return Passage::kNoted;
}

bool CallbackDesk::Concerns(const v1::WebhookRecord& callback) const {
  const auto lanes = parts_.topics.Lanes(channel_);
  return callback.has_try_() && !callback.provider_sid().empty() && FactOf(callback) &&
         std::ranges::find(lanes, callback.work().topic()) != lanes.end() &&
         parts_.clock.Now() - FromUnixMicros(callback.token_time_us()) <= kCallbackLife;
}

// From the store, or from the log where the callback's token says it stands.
Result<std::optional<v1::WorkRecord>> CallbackDesk::WorkOf(const v1::WebhookRecord& callback) {
  v1::WorkRecord work;
  const Result<std::optional<std::string>> kept = parts_.claims.Work(callback.try_());
  if (!kept && !IsEmergency(callback)) return Fail(kept.error());
  if (kept && *kept && work.ParseFromString(**kept)) return std::optional(std::move(work));
  TOCSIN_TRY(const std::optional<IncomingRecord> record, parts_.history.At(callback.work()));
  if (!record || !work.ParseFromString(record->value) ||
      TryText(work.try_()) != TryText(callback.try_()))
    return std::optional<v1::WorkRecord>();
  return std::optional(std::move(work));
}

Status CallbackDesk::TryAgain(const IncomingRecord& record, const v1::WebhookRecord& callback) {
  if (!MayTryAgain(callback)) return {};
  TOCSIN_TRY(const std::optional<v1::WorkRecord> work, WorkOf(callback));
  if (!work) return {};  // the log has expired: the end stands as the callback tells it
  const Settlement settlement = SettleUndelivered(*work, callback, retry_);
  const RecordMaker maker(parts_.topics, record);
  TOCSIN_CHECK_OK(parts_.log.PublishAndWait(
      maker.Of(settlement, channel_, callback.work(), parts_.clock.Now())));
  return {};
}

}  // namespace tocsin
