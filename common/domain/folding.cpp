#include "common/domain/folding.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "common/base/error.h"
#include "common/domain/call_keys.h"
#include "common/domain/call_retry.h"

namespace tocsin {
namespace {

constexpr std::uint32_t kUntilAcknowledged = 2;

std::string Name(ErrorCode code) { return std::string(TraitsOf(code).name); }

struct Told {
  v1::TryStatus status = v1::TRY_STATUS_UNSPECIFIED;
  std::string reason = {};
};

std::optional<Told> MessageTold(std::string_view word) {
  if (word == "queued" || word == "accepted" || word == "scheduled" || word == "sending" ||
      word == "sent")
    return Told{v1::TRY_STATUS_SENT};
  if (word == "delivered" || word == "read") return Told{v1::TRY_STATUS_DELIVERED};
  if (word == "undelivered")
    return Told{v1::TRY_STATUS_UNDELIVERED, Name(ErrorCode::kTwilioApiError)};
  if (word == "failed") return Told{v1::TRY_STATUS_FAILED, Name(ErrorCode::kTwilioApiError)};
  if (word == "canceled") return Told{v1::TRY_STATUS_FAILED, Name(ErrorCode::kCancelled)};
  return std::nullopt;
}

// Twilio's AnsweredBy: "human", "machine_start", "machine_end_beep", …, "fax", "unknown".
bool TookByMachine(std::string_view answered_by) {
  return answered_by.starts_with("machine") || answered_by == "fax";
}

std::string_view TakerOf(std::string_view answered_by) {
  if (answered_by == "human") return kTakenByHuman;
  return TookByMachine(answered_by) ? kTakenByMachine : std::string_view();
}

std::optional<Told> CallTold(std::string_view word, std::string_view answered_by) {
  if (word == "queued" || word == "initiated") return Told{v1::TRY_STATUS_SENT};
  if (word == "ringing") return Told{v1::TRY_STATUS_RINGING};
  if (word == "in-progress" || word == "answered") {
    if (answered_by == "human") return Told{v1::TRY_STATUS_ANSWERED_HUMAN};
    if (TookByMachine(answered_by)) return Told{v1::TRY_STATUS_ANSWERED_MACHINE};
    return Told{v1::TRY_STATUS_RINGING};  // taken, by whom nobody knows
  }
  if (word == "completed") return Told{v1::TRY_STATUS_DELIVERED, std::string(TakerOf(answered_by))};
  if (word == "busy") return Told{v1::TRY_STATUS_BUSY};
  if (word == "no-answer") return Told{v1::TRY_STATUS_NO_ANSWER};
  if (word == "failed") return Told{v1::TRY_STATUS_FAILED, Name(ErrorCode::kTwilioApiError)};
  if (word == "canceled") return Told{v1::TRY_STATUS_FAILED, Name(ErrorCode::kCancelled)};
  return std::nullopt;
}

// A machine presses no key.
std::optional<Told> PressTold(std::string_view key) {
  if (key.empty()) return std::nullopt;
  return Told{v1::TRY_STATUS_ANSWERED_HUMAN};
}

std::string NoteOf(const v1::WebhookRecord& webhook) {
  if (webhook.kind() == v1::WEBHOOK_KIND_VOICE_GATHER)
    return "key " + webhook.provider_status() + " (" +
           std::string(NameOf(CallKeyOf(webhook.provider_status()))) + ")";
  std::string note = webhook.provider_status();
  if (webhook.duration_seconds() > 0)
    note += " after " + std::to_string(webhook.duration_seconds()) + " s";
  if (!webhook.answered_by().empty()) note += ", answered by " + webhook.answered_by();
  return note;
}

bool IsInDoubtEnd(v1::TryStatus status, std::string_view reason) {
  return status == v1::TRY_STATUS_FAILED && reason == TraitsOf(ErrorCode::kInDoubt).name;
}

// Of facts with one rank: a word of ours before one of Twilio's, then the one that says most. The
// id comes last, so that two different facts never tie.
auto DetailKey(const Fact& fact) {
  return std::tuple(fact.kind == FactKind::kTryChanged, fact.provider_code != 0,
                    !fact.reason.empty(), fact.time, std::string_view(fact.id));
}

}  // namespace

std::optional<Fact> FactOf(const v1::Event& event) {
  Fact fact;
  fact.id = event.event_id();
  fact.step = event.try_().step();
  fact.attempt = event.try_().try_();
  fact.time = FromUnixMicros(event.time_us());
  switch (event.fact_case()) {
    case v1::Event::kTryChanged: {
      const v1::TryChanged& changed = event.try_changed();
      fact.kind = FactKind::kTryChanged;
      fact.status = changed.status();
      fact.reason = changed.reason();
      fact.provider_code = changed.provider_code();
      fact.provider_sid = changed.provider_sid();
      fact.sender = changed.sender();
      fact.segments = changed.segments();
      fact.next_try = changed.next_try();
      fact.last = changed.last();
      fact.note = changed.remark();
      return fact;
    }
    case v1::Event::kAcknowledged:
      fact.kind = FactKind::kAcknowledged;
      fact.note = event.acknowledged().by();
      return fact;
    case v1::Event::kCancelRequested:
      fact.kind = FactKind::kCancelRequested;
      fact.note = event.cancel_requested().outcome();
      return fact;
    case v1::Event::kTryPriced:
      fact.kind = FactKind::kPriced;
      fact.provider_sid = event.try_priced().provider_sid();
      fact.segments = event.try_priced().segments();
      if (event.try_priced().has_price()) {
        fact.price_micros = event.try_priced().price().micros();
        fact.currency = event.try_priced().price().currency();
      }
      return fact;
    case v1::Event::kActRecorded:
    case v1::Event::FACT_NOT_SET: return std::nullopt;
  }
  return std::nullopt;
}

std::optional<Fact> FactOf(const v1::WebhookRecord& webhook) {
  if (webhook.try_().alert_id().empty()) return std::nullopt;
  return FactOf(webhook, webhook.try_());
}

std::optional<Fact> FactOf(const v1::WebhookRecord& webhook, const v1::TryName& name) {
  std::optional<Told> told;
  if (webhook.kind() == v1::WEBHOOK_KIND_SMS_STATUS) told = MessageTold(webhook.provider_status());
  if (webhook.kind() == v1::WEBHOOK_KIND_VOICE_STATUS)
    told = CallTold(webhook.provider_status(), webhook.answered_by());
  if (webhook.kind() == v1::WEBHOOK_KIND_VOICE_GATHER) told = PressTold(webhook.provider_status());
  if (!told) return std::nullopt;
  Fact fact;
  fact.id = webhook.webhook_id();
  fact.kind = FactKind::kCallback;
  fact.step = name.step();
  fact.attempt = name.try_();
  fact.time = FromUnixMicros(webhook.received_time_us());
  fact.status = told->status;
  fact.reason = std::move(told->reason);
  fact.provider_code = webhook.provider_code();
  fact.provider_sid = webhook.provider_sid();
  fact.segments = webhook.segments();
  fact.note = NoteOf(webhook);
  return fact;
}

int RankOf(v1::TryStatus status, std::string_view reason) {
  if (IsInDoubtEnd(status, reason)) return 8;  // a late proof of acceptance outranks it
  switch (status) {
    case v1::TRY_STATUS_QUEUED: return 1;
    case v1::TRY_STATUS_SENDING: return 2;
    case v1::TRY_STATUS_IN_DOUBT: return 3;
    // An end before sending is told only of a try that the claim store found never begun: it
    // outranks a beginning that came to nothing, and any proof of the carrier outranks it.
    case v1::TRY_STATUS_REJECTED: return 4;
    case v1::TRY_STATUS_SUPPRESSED: return 5;
    case v1::TRY_STATUS_CANCELLED: return 6;
    case v1::TRY_STATUS_EXPIRED: return 7;
    case v1::TRY_STATUS_SENT: return 9;
    case v1::TRY_STATUS_RINGING: return 10;
    case v1::TRY_STATUS_ANSWERED_MACHINE: return 11;
    case v1::TRY_STATUS_ANSWERED_HUMAN: return 12;
    case v1::TRY_STATUS_SENT_UNCONFIRMED: return 13;
    case v1::TRY_STATUS_FAILED: return 14;
    case v1::TRY_STATUS_NO_ANSWER: return 15;
    case v1::TRY_STATUS_BUSY: return 16;
    case v1::TRY_STATUS_UNDELIVERED: return 17;
    case v1::TRY_STATUS_DELIVERED: return 18;
    default: return 0;
  }
}

bool IsEnd(v1::TryStatus status) {
  switch (status) {
    case v1::TRY_STATUS_DELIVERED:
    case v1::TRY_STATUS_UNDELIVERED:
    case v1::TRY_STATUS_FAILED:
    case v1::TRY_STATUS_SENT_UNCONFIRMED:
    case v1::TRY_STATUS_BUSY:
    case v1::TRY_STATUS_NO_ANSWER:
    case v1::TRY_STATUS_EXPIRED:
    case v1::TRY_STATUS_CANCELLED:
    case v1::TRY_STATUS_SUPPRESSED:
    case v1::TRY_STATUS_REJECTED: return true;
    default: return false;
  }
}

void TryFold::Decide(const Fact& fact) {
  const int rank = RankOf(fact.status, fact.reason);
  const int held = RankOf(deciding_.status, deciding_.reason);
  if (rank < held || rank == 0) return;
  if (rank > held) status_since_ = fact.time;
  status_since_ = std::min(status_since_, fact.time);
  if (rank > held || DetailKey(fact) > DetailKey(deciding_)) deciding_ = fact;
}

v1::TryStatus TryFold::status() const {
  if (deciding_.status != v1::TRY_STATUS_DELIVERED) return deciding_.status;
  if (Saw(v1::TRY_STATUS_ANSWERED_HUMAN) || deciding_.reason == kTakenByHuman)
    return v1::TRY_STATUS_ANSWERED_HUMAN;
  if (Saw(v1::TRY_STATUS_ANSWERED_MACHINE) || deciding_.reason == kTakenByMachine)
    return v1::TRY_STATUS_ANSWERED_MACHINE;
  return v1::TRY_STATUS_DELIVERED;
}

void TryFold::Apply(const Fact& fact) {
  updated_ = std::max(updated_, fact.time);
  provider_sid_ = std::max(provider_sid_, fact.provider_sid);
  sender_ = std::max(sender_, fact.sender);
  segments_ = std::max(segments_, fact.segments);
  if (fact.kind == FactKind::kPriced) {
    const auto key = [](const Fact& price) { return std::tuple(price.time, price.id); };
    if (fact.price_micros && (!price_ || key(fact) > key(*price_))) price_ = fact;
    return;
  }
  seen_ |= 1U << static_cast<unsigned>(fact.status);
  if (fact.status == v1::TRY_STATUS_SENDING)
    started_ = started_ ? std::min(*started_, fact.time) : fact.time;
  next_try_ = std::max(next_try_, fact.next_try);
  last_ = last_ || fact.last;
  Decide(fact);
}

bool TryFold::Undecided() const { return !last_ && next_try_ == 0 && UnreachedBy(deciding_); }

std::optional<std::int64_t> TryFold::price_micros() const {
  return price_ ? price_->price_micros : std::nullopt;
}

std::string TryFold::currency() const { return price_ ? price_->currency : std::string(); }

bool TryFold::Begun() const {
  constexpr std::uint32_t kNeverBegun =
      1U << v1::TRY_STATUS_UNSPECIFIED | 1U << v1::TRY_STATUS_QUEUED |
      1U << v1::TRY_STATUS_EXPIRED | 1U << v1::TRY_STATUS_CANCELLED |
      1U << v1::TRY_STATUS_SUPPRESSED | 1U << v1::TRY_STATUS_REJECTED;
  return (seen_ & ~kNeverBegun) != 0;
}

namespace {

using TryKey = std::pair<std::uint32_t, std::uint32_t>;

struct Gathered {
  std::vector<TryFold> tries;
  std::optional<WallTime> updated;
  std::optional<WallTime> acknowledged;  // the first
  std::optional<WallTime> cancelled;     // the first that stopped anything
};

Gathered Gather(std::span<const Fact> facts) {
  Gathered gathered;
  std::map<TryKey, TryFold> tries;
  const auto first = [](std::optional<WallTime>& held, WallTime time) {
    held = held ? std::min(*held, time) : time;
  };
  for (const Fact& fact : facts) {
    gathered.updated = gathered.updated ? std::max(*gathered.updated, fact.time) : fact.time;
    if (fact.kind == FactKind::kAcknowledged) first(gathered.acknowledged, fact.time);
    if (fact.kind == FactKind::kCancelRequested && fact.note != "ALREADY_ENDED")
      first(gathered.cancelled, fact.time);
    if (fact.step == 0 || fact.attempt == 0 || fact.kind == FactKind::kAcknowledged ||
        fact.kind == FactKind::kCancelRequested)
      continue;
    const TryKey key{fact.step, fact.attempt};
    tries.try_emplace(key, fact.step, fact.attempt).first->second.Apply(fact);
  }
  for (auto& [key, fold] : tries) gathered.tries.push_back(std::move(fold));
  return gathered;
}

// What is still to come when nothing stops it: a try without an end, the follow-up of the
// newest try of a step, or a step of the plan that has not begun.
struct Outlook {
  bool under_way = false;  // a POST may be out
  bool waiting = false;    // a try waits for its turn
};

Outlook Look(const AlertTerms& terms, const std::vector<TryFold>& tries) {
  Outlook outlook;
  std::map<std::uint32_t, const TryFold*> newest;
  for (const TryFold& fold : tries) {
    newest[fold.step()] = &fold;  // tries rise within a step
    if (!fold.Settled()) (fold.Begun() ? outlook.under_way : outlook.waiting) = true;
  }
  for (const auto& [step, fold] : newest) {
    const bool followed = fold->Settled() && fold->next_try() > fold->attempt() && !fold->last();
    if (followed || fold->Undecided()) outlook.waiting = true;
  }
  const std::uint32_t steps = static_cast<std::uint32_t>(terms.later_steps.size()) + 1;
  for (std::uint32_t step = 1; step <= steps; ++step)
    if (!newest.contains(step)) outlook.waiting = true;
  return outlook;
}

// Whether the alert reached a person, as far as anybody can tell; a machine may do for an end, but
// calls that follow it go on.
bool Reached(const TryFold& fold) {
  return fold.Settled() && (fold.status() == v1::TRY_STATUS_DELIVERED ||
                            fold.status() == v1::TRY_STATUS_ANSWERED_HUMAN);
}

// The first delivery, unless a later step waits for more than that.
std::optional<WallTime> Delivered(const AlertTerms& terms, const std::vector<TryFold>& tries) {
  std::optional<WallTime> since;
  std::uint32_t step = 0;
  for (const TryFold& fold : tries) {
    if (!Reached(fold)) continue;
    if (!since || fold.status_since() < *since) since = fold.status_since();
    step = std::max(step, fold.step());
  }
  if (!since) return std::nullopt;
  for (std::uint32_t later = step + 1; later <= terms.later_steps.size() + 1; ++later)
    if (terms.later_steps[later - 2] == kUntilAcknowledged) return std::nullopt;
  return since;
}

v1::AlertState StateOfEnd(v1::TryStatus status) {
  switch (status) {
    case v1::TRY_STATUS_DELIVERED:
    case v1::TRY_STATUS_ANSWERED_HUMAN:
    case v1::TRY_STATUS_ANSWERED_MACHINE: return v1::ALERT_STATE_DELIVERED;
    case v1::TRY_STATUS_SENT_UNCONFIRMED: return v1::ALERT_STATE_SENT_UNCONFIRMED;
    case v1::TRY_STATUS_EXPIRED: return v1::ALERT_STATE_EXPIRED;
    case v1::TRY_STATUS_CANCELLED: return v1::ALERT_STATE_CANCELLED;
    case v1::TRY_STATUS_SUPPRESSED: return v1::ALERT_STATE_SUPPRESSED;
    case v1::TRY_STATUS_REJECTED: return v1::ALERT_STATE_REJECTED;
    default: return v1::ALERT_STATE_FAILED;
  }
}

v1::AlertState StateUnderWay(const std::vector<TryFold>& tries) {
  bool begun = false;
  for (const TryFold& fold : tries) {
    const int rank = RankOf(fold.status(), fold.reason());
    if (!fold.Settled() && rank >= RankOf(v1::TRY_STATUS_SENT, "")) return v1::ALERT_STATE_SENT;
    begun = begun || fold.Begun() || fold.Settled();
  }
  return begun ? v1::ALERT_STATE_SENDING : v1::ALERT_STATE_PENDING;
}

// Every try came to its end: a delivery or a sending speaks for all, else the last try of the last
// step.
void End(const std::vector<TryFold>& tries, FoldedAlert& alert) {
  const TryFold* speaker = &tries.back();
  for (const TryFold& fold : tries) {
    const auto weight = [](const TryFold& of) {
      if (StateOfEnd(of.status()) == v1::ALERT_STATE_DELIVERED) return 2;
      return of.status() == v1::TRY_STATUS_SENT_UNCONFIRMED ? 1 : 0;
    };
    if (weight(fold) > weight(*speaker)) speaker = &fold;
  }
  alert.state = StateOfEnd(speaker->status());
  if (alert.state != v1::ALERT_STATE_DELIVERED) alert.reason = speaker->reason();
  WallTime ended = WallTime::min();
  for (const TryFold& fold : tries) ended = std::max(ended, fold.status_since());
  alert.ended = ended;
}

}  // namespace

FoldedAlert FoldAlert(const AlertTerms& terms, std::span<const Fact> facts) {
  Gathered gathered = Gather(facts);
  FoldedAlert alert;
  alert.updated = gathered.updated;
  alert.tries = std::move(gathered.tries);
  const Outlook outlook = Look(terms, alert.tries);
  if (gathered.acknowledged) {
    alert.state = v1::ALERT_STATE_ACKNOWLEDGED;
    alert.ended = gathered.acknowledged;
  } else if (const auto delivered = Delivered(terms, alert.tries)) {
    alert.state = v1::ALERT_STATE_DELIVERED;
    alert.ended = delivered;
  } else if (outlook.under_way) {
    alert.state = StateUnderWay(alert.tries);
  } else if (gathered.cancelled && (outlook.waiting || alert.tries.empty())) {
    alert.state = v1::ALERT_STATE_CANCELLED;
    alert.reason = Name(ErrorCode::kCancelled);
    alert.ended = gathered.cancelled;
  } else if (outlook.waiting || !terms.accepted || alert.tries.empty()) {
    alert.state = StateUnderWay(alert.tries);
  } else {
    End(alert.tries, alert);
  }
  return alert;
}

bool IsEnd(v1::AlertState state) {
  switch (state) {
    case v1::ALERT_STATE_DELIVERED:
    case v1::ALERT_STATE_ACKNOWLEDGED:
    case v1::ALERT_STATE_FAILED:
    case v1::ALERT_STATE_SENT_UNCONFIRMED:
    case v1::ALERT_STATE_EXPIRED:
    case v1::ALERT_STATE_CANCELLED:
    case v1::ALERT_STATE_SUPPRESSED:
    case v1::ALERT_STATE_REJECTED: return true;
    default: return false;
  }
}

}  // namespace tocsin
