#include "common/domain/delivery/unreconciled_attempt.h"

#include <algorithm>

#include "common/base/error.h"
#include "common/domain/alert/alert_projection.h"
#include "common/domain/alert/ids.h"

namespace tocsin {
namespace {

constexpr Micros kLongestValidity = std::chrono::seconds(36'000);  // Twilio's

records::v1::Event EventOf(const UnreconciledAttempt& open, v1::Channel channel,
                           std::string_view seed, WallTime time) {
  records::v1::Event event;
  event.set_event_id(EventId(open.name, seed));
  *event.mutable_attempt() = open.name;
  event.set_client_id(open.client_id);
  event.set_channel(channel);
  event.set_time_us(ToUnixMicros(time));
  if (open.work) {
    event.set_priority(open.work->priority());
    *event.mutable_recipient() = open.work->recipient();
  }
  return event;
}

records::v1::Event FinalEventOf(const UnreconciledAttempt& open, v1::Channel channel,
                                const AlertEvent& alert_event, std::string note) {
  records::v1::Event event =
      EventOf(open, channel,
              "reconciled/" + std::to_string(alert_event.status) + "/" + alert_event.provider_sid,
              alert_event.time);
  records::v1::AttemptChanged& changed = *event.mutable_attempt_changed();
  changed.set_status(alert_event.status);
  changed.set_reason(alert_event.reason);
  changed.set_provider_code(alert_event.provider_code);
  changed.set_provider_sid(open.result.provider_sid());
  changed.set_sender_id(open.result.sender_id());
  changed.set_account_sid(open.result.account_sid());
  changed.set_segment_count(alert_event.segment_count);
  changed.set_note(std::move(note));
  return event;
}

records::v1::Event PriceOf(const UnreconciledAttempt& open, v1::Channel channel,
                           const ProviderRecord& record) {
  const records::v1::Money& price = *record.price;
  records::v1::Event event = EventOf(open, channel,
                                     "priced/" + open.result.provider_sid() + "/" +
                                         std::to_string(price.micros()) + price.currency_code(),
                                     record.updated);
  records::v1::AttemptPriced& priced = *event.mutable_attempt_priced();
  priced.set_provider_sid(open.result.provider_sid());
  *priced.mutable_price() = price;
  priced.set_segment_count(record.segment_count);
  return event;
}

// The record as the callback that would have reported it.
records::v1::WebhookRecord CallbackFrom(v1::Channel channel, const UnreconciledAttempt& open,
                                        const ProviderRecord& record) {
  records::v1::WebhookRecord callback;
  callback.set_webhook_id(EventId(open.name, "reconciled/" + record.provider_status));
  callback.set_kind(channel == v1::CHANNEL_VOICE ? records::v1::WEBHOOK_KIND_VOICE_STATUS
                                                 : records::v1::WEBHOOK_KIND_SMS_STATUS);
  callback.set_receive_time_us(ToUnixMicros(record.updated));
  *callback.mutable_attempt() = open.name;
  callback.set_token_time_us(ToUnixMicros(AcceptedAt(open)));
  callback.set_provider_sid(open.result.provider_sid());
  callback.set_account_sid(open.result.account_sid());
  callback.set_provider_status(record.provider_status);
  callback.set_status(record.status);
  callback.set_error_class(record.error_class);
  callback.set_provider_code(record.code);
  callback.set_sequence_number(-1);
  callback.set_answered_by(record.answered_by);
  callback.set_duration_seconds(record.duration_seconds);
  callback.set_segment_count(record.segment_count);
  return callback;
}

records::v1::Event Unconfirmed(const UnreconciledAttempt& open, v1::Channel channel,
                               WallTime since) {
  AlertEvent alert_event;
  alert_event.status = v1::ATTEMPT_STATUS_SENT_UNCONFIRMED;
  alert_event.time = since;
  alert_event.provider_sid = open.result.provider_sid();
  return FinalEventOf(open, channel, alert_event,
                      "no delivery report, and none in Twilio's records");
}

}  // namespace

std::string_view NameOf(Finding finding) {
  switch (finding) {  // no default: -Wswitch reports a missing row
    case Finding::kEnd: return "end";
    case Finding::kPrice: return "price";
    case Finding::kNothing: return "nothing";
    case Finding::kUnconfirmed: return "unconfirmed";
    case Finding::kGivenUp: return "given_up";
  }
  return "unknown";
}

WallTime AcceptedAt(const UnreconciledAttempt& open) {
  return FromUnixMicros(open.result.begin_time_us() != 0 ? open.result.begin_time_us()
                                                         : open.result.end_time_us());
}

WallTime UnconfirmedFrom(const UnreconciledAttempt& open, const ReconcileSchedule& schedule) {
  Micros validity = kLongestValidity;
  if (open.work)
    validity = std::clamp(FromUnixMicros(open.work->expire_time_us()) - AcceptedAt(open), Micros(0),
                          kLongestValidity);
  return AcceptedAt(open) + validity + schedule.grace;
}

WallTime LastLookupTime(const UnreconciledAttempt& open, const ReconcileSchedule& schedule) {
  return open.ended ? AcceptedAt(open) + schedule.price_limit : UnconfirmedFrom(open, schedule);
}

Reconciled Reconcile(v1::Channel channel, const UnreconciledAttempt& open,
                     const std::optional<ProviderRecord>& record, const ReconcileSchedule& schedule,
                     WallTime now) {
  Reconciled found;
  found.ended = open.ended;
  found.priced = open.priced;
  const bool has_changed = record && record->updated > WallTime();
  if (has_changed && !open.priced && record->price) {
    found.events.push_back(PriceOf(open, channel, *record));
    found.priced = true;
    found.finding = Finding::kPrice;
  }
  if (has_changed && !open.ended) {
    records::v1::WebhookRecord callback = CallbackFrom(channel, open, *record);
    if (const std::optional<AlertEvent> alert_event = AlertEventOf(callback);
        alert_event && IsEnd(alert_event->status)) {
      found.events.push_back(FinalEventOf(open, channel, *alert_event,
                                          "found in Twilio's records, no callback arrived"));
      found.callback = std::move(callback);
      found.ended = true;
      found.finding = Finding::kEnd;
    }
  }
  const WallTime unconfirmed = UnconfirmedFrom(open, schedule);
  if (!found.ended && now >= unconfirmed) {
    found.events.push_back(Unconfirmed(open, channel, unconfirmed));
    found.ended = true;
    found.finding = Finding::kUnconfirmed;
  }
  const WallTime price_limit = AcceptedAt(open) + schedule.price_limit;
  if (found.ended && !found.priced && (now >= price_limit || !open.holds_sid)) {
    found.priced = true;
    if (found.finding == Finding::kNothing) found.finding = Finding::kGivenUp;
  }
  if (found.ended && found.priced) return found;
  const Micros wait = std::clamp(std::chrono::duration_cast<Micros>(now - AcceptedAt(open)),
                                 schedule.initial_delay, schedule.longest_wait);
  found.next_time = std::min(now + wait, found.ended ? price_limit : unconfirmed);
  return found;
}

}  // namespace tocsin
