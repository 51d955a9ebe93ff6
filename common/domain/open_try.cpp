#include "common/domain/open_try.h"

#include <algorithm>

#include "common/base/error.h"
#include "common/domain/folding.h"
#include "common/domain/ids.h"

namespace tocsin {
namespace {

constexpr Micros kLongestValidity = std::chrono::seconds(36'000);  // Twilio's

// When the carrier took it, as far as is known.
WallTime Taken(const OpenTry& open) {
  return FromUnixMicros(open.receipt.began_us() != 0 ? open.receipt.began_us()
                                                     : open.receipt.ended_us());
}

v1::Event EventOf(const OpenTry& open, v1::Channel channel, std::string_view what, WallTime time) {
  v1::Event event;
  event.set_event_id(EventId(open.name, what));
  *event.mutable_try_() = open.name;
  event.set_client_id(open.client_id);
  event.set_channel(channel);
  event.set_time_us(ToUnixMicros(time));
  if (open.work) {
    event.set_class_(open.work->class_());
    *event.mutable_recipient() = open.work->recipient();
  }
  return event;
}

v1::Event EndOf(const OpenTry& open, v1::Channel channel, const Fact& fact, std::string remark) {
  v1::Event event =
      EventOf(open, channel, "books:" + v1::TryStatus_Name(fact.status) + ":" + fact.provider_sid,
              fact.time);
  v1::TryChanged& changed = *event.mutable_try_changed();
  changed.set_status(fact.status);
  changed.set_reason(fact.reason);
  changed.set_provider_code(fact.provider_code);
  changed.set_provider_sid(open.receipt.provider_sid());
  changed.set_sender(open.receipt.sender());
  changed.set_account_sid(open.receipt.account_sid());
  changed.set_segments(fact.segments);
  changed.set_remark(std::move(remark));
  return event;
}

v1::Event PriceOf(const OpenTry& open, v1::Channel channel, const BookEntry& books) {
  const v1::Money& price = *books.price;
  v1::Event event = EventOf(open, channel,
                            "priced:" + open.receipt.provider_sid() + ":" +
                                std::to_string(price.micros()) + price.currency(),
                            books.updated);
  v1::TryPriced& priced = *event.mutable_try_priced();
  priced.set_provider_sid(open.receipt.provider_sid());
  *priced.mutable_price() = price;
  priced.set_segments(books.segments);
  return event;
}

// The books, as a callback would have told them when they were last changed.
v1::WebhookRecord CallbackOf(v1::Channel channel, const OpenTry& open, const BookEntry& books) {
  v1::WebhookRecord told;
  told.set_webhook_id(EventId(open.name, "books:" + books.status));
  told.set_kind(channel == v1::CHANNEL_VOICE ? v1::WEBHOOK_KIND_VOICE_STATUS
                                             : v1::WEBHOOK_KIND_SMS_STATUS);
  told.set_received_time_us(ToUnixMicros(books.updated));
  *told.mutable_try_() = open.name;
  told.set_token_time_us(ToUnixMicros(Taken(open)));
  told.set_provider_sid(open.receipt.provider_sid());
  told.set_account_sid(open.receipt.account_sid());
  told.set_provider_status(books.status);
  told.set_provider_code(books.code);
  told.set_sequence(-1);
  told.set_answered_by(books.answered_by);
  told.set_duration_seconds(books.duration_seconds);
  told.set_segments(books.segments);
  return told;
}

v1::Event Unconfirmed(const OpenTry& open, v1::Channel channel, WallTime since) {
  Fact fact;
  fact.status = v1::TRY_STATUS_SENT_UNCONFIRMED;
  fact.time = since;
  fact.provider_sid = open.receipt.provider_sid();
  return EndOf(open, channel, fact, "neither a callback nor Twilio's books tell its end");
}

}  // namespace

std::string_view NameOf(Finding finding) {
  switch (finding) {  // no default: -Wswitch asks for a missing row
    case Finding::kEnd: return "end";
    case Finding::kPrice: return "price";
    case Finding::kNothing: return "nothing";
    case Finding::kUnconfirmed: return "unconfirmed";
    case Finding::kGivenUp: return "given_up";
  }
  return "unknown";
}

WallTime UnconfirmedFrom(const OpenTry& open, const ReconcileSchedule& schedule) {
  Micros validity = kLongestValidity;
  if (open.work)
    validity = std::clamp(FromUnixMicros(open.work->not_after_us()) - Taken(open), Micros(0),
                          kLongestValidity);
  return Taken(open) + validity + schedule.grace;
}

Reconciled Reconcile(v1::Channel channel, const OpenTry& open,
                     const std::optional<BookEntry>& books, const ReconcileSchedule& schedule,
                     WallTime now) {
  Reconciled found;
  found.ended = open.ended;
  found.priced = open.priced;
  const bool told_anything = books && books->updated > WallTime();
  if (told_anything && !open.priced && books->price) {
    found.events.push_back(PriceOf(open, channel, *books));
    found.priced = true;
    found.finding = Finding::kPrice;
  }
  if (told_anything && !open.ended) {
    v1::WebhookRecord told = CallbackOf(channel, open, *books);
    if (const std::optional<Fact> fact = FactOf(told); fact && IsEnd(fact->status)) {
      found.events.push_back(
          EndOf(open, channel, *fact, "found in Twilio's books, no callback told it"));
      found.told = std::move(told);
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
  const WallTime price_limit = Taken(open) + schedule.price_limit;
  if (found.ended && !found.priced && (now >= price_limit || !open.holds_sid)) {
    found.priced = true;
    if (found.finding == Finding::kNothing) found.finding = Finding::kGivenUp;
  }
  if (found.ended && found.priced) return found;
  const Micros wait = std::clamp(std::chrono::duration_cast<Micros>(now - Taken(open)),
                                 schedule.first_look, schedule.longest_wait);
  found.again = std::min(now + wait, found.ended ? price_limit : unconfirmed);
  return found;
}

}  // namespace tocsin
