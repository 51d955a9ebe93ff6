#include "common/domain/alert/alert_projection.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "common/base/error.h"
#include "common/domain/delivery/call_retry.h"
#include "common/domain/plan/plan.h"

namespace tocsin {
namespace {

std::string Name(ErrorCode code) { return std::string(TraitsOf(code).name); }

// The reason of a failure that a callback reports.
std::string ReasonOf(const records::v1::WebhookRecord& webhook) {
  if (webhook.status() != v1::ATTEMPT_STATUS_FAILED &&
      webhook.status() != v1::ATTEMPT_STATUS_UNDELIVERED)
    return {};
  return Name(webhook.error_class() == records::v1::PROVIDER_ERROR_CLASS_CANCELLED
                  ? ErrorCode::kCancelled
                  : ErrorCode::kTwilioApiError);
}

// Ended without the provider's word on this attempt.
bool IsInDoubtEnd(v1::AttemptStatus status, std::string_view reason) {
  return status == v1::ATTEMPT_STATUS_FAILED && (reason == TraitsOf(ErrorCode::kInDoubt).name ||
                                                 reason == TraitsOf(ErrorCode::kNotReceived).name);
}

// Order of events with equal rank: an event of a worker before a callback, then the one with more
// detail. The id comes last, so that two different events never tie.
auto DetailKey(const AlertEvent& alert_event) {
  return std::tuple(alert_event.kind == AlertEventKind::kAttemptChanged,
                    alert_event.provider_code != 0, !alert_event.reason.empty(),
                    alert_event.answered_by, alert_event.time, std::string_view(alert_event.id));
}

}  // namespace

std::optional<AlertEvent> AlertEventOf(const records::v1::Event& event) {
  AlertEvent alert_event;
  alert_event.id = event.event_id();
  alert_event.step = event.attempt().step();
  alert_event.attempt = event.attempt().attempt();
  alert_event.time = FromUnixMicros(event.time_us());
  switch (event.fact_case()) {
    case records::v1::Event::kAttemptChanged: {
      const records::v1::AttemptChanged& changed = event.attempt_changed();
      alert_event.kind = AlertEventKind::kAttemptChanged;
      alert_event.status = changed.status();
      alert_event.reason = changed.reason();
      alert_event.provider_code = changed.provider_code();
      alert_event.error_class = changed.error_class();
      alert_event.provider_sid = changed.provider_sid();
      alert_event.sender_id = changed.sender_id();
      alert_event.segment_count = changed.segment_count();
      alert_event.next_attempt = changed.next_attempt();
      alert_event.last = changed.last();
      alert_event.note = changed.note();
      return alert_event;
    }
    case records::v1::Event::kAcknowledged:
      alert_event.kind = AlertEventKind::kAcknowledged;
      alert_event.acknowledgement_method = event.acknowledged().method();
      alert_event.actor_id = event.acknowledged().actor_id();
      alert_event.evidence = event.acknowledged().evidence();
      alert_event.person = event.acknowledged().person();
      return alert_event;
    case records::v1::Event::kDeclined:
      alert_event.kind = AlertEventKind::kDeclined;
      alert_event.acknowledgement_method = event.declined().method();
      alert_event.evidence = event.declined().evidence();
      alert_event.person = event.declined().person();
      return alert_event;
    case records::v1::Event::kGoalMissed:
      alert_event.kind = AlertEventKind::kGoalMissed;
      return alert_event;
    case records::v1::Event::kPlanExhausted:
      alert_event.kind = AlertEventKind::kPlanExhausted;
      return alert_event;
    case records::v1::Event::kCancelRequested:
      alert_event.kind = AlertEventKind::kCancelRequested;
      alert_event.cancel_outcome = event.cancel_requested().outcome();
      return alert_event;
    case records::v1::Event::kAttemptPriced:
      alert_event.kind = AlertEventKind::kPriced;
      alert_event.provider_sid = event.attempt_priced().provider_sid();
      alert_event.segment_count = event.attempt_priced().segment_count();
      if (event.attempt_priced().has_price()) {
        alert_event.price_micros = event.attempt_priced().price().micros();
        alert_event.currency = event.attempt_priced().price().currency_code();
      }
      return alert_event;
    case records::v1::Event::kAdminActionRecorded:
    case records::v1::Event::FACT_NOT_SET: return std::nullopt;
  }
  return std::nullopt;
}

std::optional<AlertEvent> AlertEventOf(const records::v1::WebhookRecord& webhook) {
  if (webhook.attempt().alert_id().empty()) return std::nullopt;
  return AlertEventOf(webhook, webhook.attempt());
}

std::optional<AlertEvent> AlertEventOf(const records::v1::WebhookRecord& webhook,
                                       const v1::AttemptRef& name) {
  if (webhook.status() == v1::ATTEMPT_STATUS_UNSPECIFIED) return std::nullopt;
  AlertEvent alert_event;
  alert_event.id = webhook.webhook_id();
  alert_event.kind = AlertEventKind::kCallback;
  alert_event.step = name.step();
  alert_event.attempt = name.attempt();
  alert_event.time = FromUnixMicros(webhook.receive_time_us());
  alert_event.status = webhook.status();
  alert_event.reason = ReasonOf(webhook);
  alert_event.error_class = webhook.error_class();
  alert_event.provider_code = webhook.provider_code();
  alert_event.provider_sid = webhook.provider_sid();
  alert_event.segment_count = webhook.segment_count();
  alert_event.webhook_kind = webhook.kind();
  alert_event.provider_status = webhook.provider_status();
  alert_event.answered_by = webhook.answered_by();
  alert_event.duration_seconds = std::max(webhook.duration_seconds(), 0);
  return alert_event;
}

int RankOf(v1::AttemptStatus status, std::string_view reason) {
  if (IsInDoubtEnd(status, reason)) return 8;  // late proof of acceptance outranks it
  switch (status) {
    case v1::ATTEMPT_STATUS_QUEUED: return 1;
    case v1::ATTEMPT_STATUS_SENDING: return 2;
    case v1::ATTEMPT_STATUS_IN_DOUBT: return 3;
    // A final status before sending is published only if the claim store shows that the attempt
    // never started: it outranks an aborted start, and every report of the provider outranks it.
    case v1::ATTEMPT_STATUS_REJECTED: return 4;
    case v1::ATTEMPT_STATUS_SUPPRESSED: return 5;
    case v1::ATTEMPT_STATUS_CANCELLED: return 6;
    case v1::ATTEMPT_STATUS_EXPIRED: return 7;
    case v1::ATTEMPT_STATUS_SENT: return 9;
    case v1::ATTEMPT_STATUS_RINGING: return 10;
    case v1::ATTEMPT_STATUS_ANSWERED_MACHINE: return 11;
    case v1::ATTEMPT_STATUS_ANSWERED_HUMAN: return 12;
    case v1::ATTEMPT_STATUS_SENT_UNCONFIRMED: return 13;
    case v1::ATTEMPT_STATUS_FAILED: return 14;
    case v1::ATTEMPT_STATUS_NO_ANSWER: return 15;
    case v1::ATTEMPT_STATUS_BUSY: return 16;
    case v1::ATTEMPT_STATUS_UNDELIVERED: return 17;
    case v1::ATTEMPT_STATUS_DELIVERED: return 18;
    default: return 0;
  }
}

bool IsEnd(v1::AttemptStatus status) {
  switch (status) {
    case v1::ATTEMPT_STATUS_DELIVERED:
    case v1::ATTEMPT_STATUS_UNDELIVERED:
    case v1::ATTEMPT_STATUS_FAILED:
    case v1::ATTEMPT_STATUS_SENT_UNCONFIRMED:
    case v1::ATTEMPT_STATUS_BUSY:
    case v1::ATTEMPT_STATUS_NO_ANSWER:
    case v1::ATTEMPT_STATUS_EXPIRED:
    case v1::ATTEMPT_STATUS_CANCELLED:
    case v1::ATTEMPT_STATUS_SUPPRESSED:
    case v1::ATTEMPT_STATUS_REJECTED: return true;
    default: return false;
  }
}

void AttemptProjection::Decide(const AlertEvent& alert_event) {
  const int rank = RankOf(alert_event.status, alert_event.reason);
  const int held = RankOf(deciding_.status, deciding_.reason);
  if (rank < held || rank == 0) return;
  if (rank > held) status_since_ = alert_event.time;
  status_since_ = std::min(status_since_, alert_event.time);
  if (rank > held || DetailKey(alert_event) > DetailKey(deciding_)) deciding_ = alert_event;
}

v1::AttemptStatus AttemptProjection::status() const {
  if (deciding_.status != v1::ATTEMPT_STATUS_DELIVERED) return deciding_.status;
  if (Saw(v1::ATTEMPT_STATUS_ANSWERED_HUMAN) || deciding_.answered_by == v1::ANSWERED_BY_HUMAN)
    return v1::ATTEMPT_STATUS_ANSWERED_HUMAN;
  if (Saw(v1::ATTEMPT_STATUS_ANSWERED_MACHINE) || deciding_.answered_by == v1::ANSWERED_BY_MACHINE)
    return v1::ATTEMPT_STATUS_ANSWERED_MACHINE;
  return v1::ATTEMPT_STATUS_DELIVERED;
}

void AttemptProjection::Apply(const AlertEvent& alert_event) {
  updated_ = std::max(updated_, alert_event.time);
  provider_sid_ = std::max(provider_sid_, alert_event.provider_sid);
  sender_id_ = std::max(sender_id_, alert_event.sender_id);
  segment_count_ = std::max(segment_count_, alert_event.segment_count);
  if (alert_event.kind == AlertEventKind::kPriced) {
    const auto key = [](const AlertEvent& price) { return std::tuple(price.time, price.id); };
    if (alert_event.price_micros && (!price_ || key(alert_event) > key(*price_)))
      price_ = alert_event;
    return;
  }
  seen_ |= 1U << static_cast<unsigned>(alert_event.status);
  answered_ |= 1U << static_cast<unsigned>(alert_event.answered_by);
  duration_seconds_ = std::max(duration_seconds_, alert_event.duration_seconds);
  if (alert_event.webhook_kind == records::v1::WEBHOOK_KIND_VOICE_GATHER &&
      !alert_event.provider_status.empty())
    presses_.emplace(alert_event.time, alert_event.id, alert_event.provider_status);
  if (alert_event.status == v1::ATTEMPT_STATUS_SENDING)
    started_ = started_ ? std::min(*started_, alert_event.time) : alert_event.time;
  next_attempt_ = std::max(next_attempt_, alert_event.next_attempt);
  last_ = last_ || alert_event.last;
  Decide(alert_event);
}

v1::AnsweredBy AttemptProjection::answered_by() const {
  const auto reported = [this](v1::AnsweredBy by) { return (answered_ >> by & 1U) != 0; };
  if (Saw(v1::ATTEMPT_STATUS_ANSWERED_HUMAN) || !presses_.empty() ||
      reported(v1::ANSWERED_BY_HUMAN))
    return v1::ANSWERED_BY_HUMAN;
  if (Saw(v1::ATTEMPT_STATUS_ANSWERED_MACHINE) || reported(v1::ANSWERED_BY_MACHINE))
    return v1::ANSWERED_BY_MACHINE;
  return reported(v1::ANSWERED_BY_UNKNOWN) ? v1::ANSWERED_BY_UNKNOWN : v1::ANSWERED_BY_UNSPECIFIED;
}

std::vector<std::string> AttemptProjection::pressed_keys() const {
  std::vector<std::string> keys;
  for (const auto& [time, id, key] : presses_) keys.push_back(key);
  return keys;
}

v1::Reach AttemptProjection::reach() const {
  if (answered_by() == v1::ANSWERED_BY_HUMAN) return v1::REACH_HUMAN;
  if (answered_by() == v1::ANSWERED_BY_MACHINE) return v1::REACH_MACHINE;
  if (Saw(v1::ATTEMPT_STATUS_DELIVERED)) return v1::REACH_DELIVERED;
  // Twilio's SID is known if Twilio has accepted it.
  return provider_sid_.empty() ? v1::REACH_UNSPECIFIED : v1::REACH_SUBMITTED;
}

bool AttemptProjection::Undecided() const {
  return !last_ && next_attempt_ == 0 && UnreachedBy(deciding_);
}

std::optional<std::int64_t> AttemptProjection::price_micros() const {
  return price_ ? price_->price_micros : std::nullopt;
}

std::string AttemptProjection::currency() const {
  return price_ ? price_->currency : std::string();
}

bool AttemptProjection::Started() const {
  constexpr std::uint32_t kNotStarted =
      1U << v1::ATTEMPT_STATUS_UNSPECIFIED | 1U << v1::ATTEMPT_STATUS_QUEUED |
      1U << v1::ATTEMPT_STATUS_EXPIRED | 1U << v1::ATTEMPT_STATUS_CANCELLED |
      1U << v1::ATTEMPT_STATUS_SUPPRESSED | 1U << v1::ATTEMPT_STATUS_REJECTED;
  return (seen_ & ~kNotStarted) != 0;
}

namespace {

using AttemptKey = std::pair<std::int32_t, std::int32_t>;

struct Gathered {
  std::vector<AttemptProjection> attempts;
  std::optional<WallTime> updated;
  std::map<std::string, WallTime> acknowledged;  // by person, of each the first
  std::optional<WallTime> cancelled;             // the first that had an effect
  std::optional<WallTime> missed;                // the deadline of the goal
};

Gathered Gather(std::span<const AlertEvent> alert_events, const PlanTerms& plan) {
  Gathered gathered;
  std::map<AttemptKey, AttemptProjection> attempts;
  const auto first = [](std::optional<WallTime>& held, WallTime time) {
    held = held ? std::min(*held, time) : time;
  };
  for (const AlertEvent& alert_event : alert_events) {
    gathered.updated =
        gathered.updated ? std::max(*gathered.updated, alert_event.time) : alert_event.time;
    if (alert_event.kind == AlertEventKind::kAcknowledged) {
      const auto known =
          gathered.acknowledged.try_emplace(PersonOf(alert_event, plan), alert_event.time).first;
      known->second = std::min(known->second, alert_event.time);
    }
    if (alert_event.kind == AlertEventKind::kGoalMissed) first(gathered.missed, alert_event.time);
    if (alert_event.kind == AlertEventKind::kCancelRequested &&
        alert_event.cancel_outcome != v1::CANCEL_OUTCOME_ALREADY_ENDED)
      first(gathered.cancelled, alert_event.time);
    if (alert_event.step == 0 || alert_event.attempt == 0 ||
        alert_event.kind == AlertEventKind::kAcknowledged ||
        alert_event.kind == AlertEventKind::kCancelRequested)
      continue;
    const AttemptKey key{alert_event.step, alert_event.attempt};
    attempts.try_emplace(key, alert_event.step, alert_event.attempt)
        .first->second.Apply(alert_event);
  }
  for (auto& [key, attempt] : attempts) gathered.attempts.push_back(std::move(attempt));
  return gathered;
}

// What is still pending unless it is stopped.
struct Pending {
  bool in_progress = false;  // a POST may be in progress
  bool waiting = false;      // an attempt is queued, or a retry follows
};

Pending PendingOf(const std::vector<AttemptProjection>& attempts, std::int32_t target_count) {
  Pending pending;
  std::map<std::int32_t, const AttemptProjection*> newest;
  for (const AttemptProjection& attempt : attempts) {
    newest[attempt.step()] = &attempt;  // attempt numbers increase within a step
    if (!attempt.IsFinal()) (attempt.Started() ? pending.in_progress : pending.waiting) = true;
  }
  for (const auto& [step, attempt] : newest) {
    const bool followed =
        attempt->IsFinal() && attempt->next_attempt() > attempt->attempt() && !attempt->last();
    if (followed || attempt->Undecided()) pending.waiting = true;
  }
  if (std::ssize(newest) < target_count) pending.waiting = true;
  return pending;
}

// Whether the attempt reached a person, as far as is known. A call answered by a machine may be
// final, but it does not stop retries.
bool Reached(const AttemptProjection& attempt) {
  return attempt.IsFinal() && (attempt.status() == v1::ATTEMPT_STATUS_DELIVERED ||
                               attempt.status() == v1::ATTEMPT_STATUS_ANSWERED_HUMAN);
}

// When enough persons had acknowledged.
std::optional<WallTime> Acknowledged(const std::map<std::string, WallTime>& persons,
                                     std::int32_t person_count) {
  const auto needed = static_cast<std::size_t>(std::max(person_count, 1));
  if (persons.size() < needed) return std::nullopt;
  std::vector<WallTime> times;
  times.reserve(persons.size());
  for (const auto& [person, time] : persons) times.push_back(time);
  std::ranges::sort(times);
  return times[needed - 1];
}

// When the alert first reached the goal by one of its attempts.
std::optional<WallTime> Delivered(const std::vector<AttemptProjection>& attempts, v1::Reach goal) {
  std::optional<WallTime> since;
  for (const AttemptProjection& attempt : attempts)
    if (Reached(attempt) && attempt.reach() >= goal)
      since = since ? std::min(*since, attempt.status_since()) : attempt.status_since();
  return since;
}

v1::AlertState StateOfEnd(v1::AttemptStatus status) {
  switch (status) {
    case v1::ATTEMPT_STATUS_DELIVERED:
    case v1::ATTEMPT_STATUS_ANSWERED_HUMAN:
    case v1::ATTEMPT_STATUS_ANSWERED_MACHINE: return v1::ALERT_STATE_DELIVERED;
    case v1::ATTEMPT_STATUS_SENT_UNCONFIRMED: return v1::ALERT_STATE_SENT_UNCONFIRMED;
    case v1::ATTEMPT_STATUS_EXPIRED: return v1::ALERT_STATE_EXPIRED;
    case v1::ATTEMPT_STATUS_CANCELLED: return v1::ALERT_STATE_CANCELLED;
    case v1::ATTEMPT_STATUS_SUPPRESSED: return v1::ALERT_STATE_SUPPRESSED;
    case v1::ATTEMPT_STATUS_REJECTED: return v1::ALERT_STATE_REJECTED;
    default: return v1::ALERT_STATE_FAILED;
  }
}

v1::AlertState StateInProgress(const std::vector<AttemptProjection>& attempts) {
  bool begun = false;
  for (const AttemptProjection& attempt : attempts) {
    const int rank = RankOf(attempt.status(), attempt.reason());
    if (!attempt.IsFinal() && rank >= RankOf(v1::ATTEMPT_STATUS_SENT, ""))
      return v1::ALERT_STATE_SENT;
    begun = begun || attempt.Started() || attempt.IsFinal();
  }
  return begun ? v1::ALERT_STATE_SENDING : v1::ALERT_STATE_PENDING;
}

// The final state when all attempts are final: a delivered or sent attempt determines it, otherwise
// the last attempt.
void Finish(const std::vector<AttemptProjection>& attempts, ProjectedAlert& alert) {
  const AttemptProjection* decisive = &attempts.back();
  for (const AttemptProjection& attempt : attempts) {
    const auto weight = [](const AttemptProjection& of) {
      if (StateOfEnd(of.status()) == v1::ALERT_STATE_DELIVERED) return 2;
      return of.status() == v1::ATTEMPT_STATUS_SENT_UNCONFIRMED ? 1 : 0;
    };
    if (weight(attempt) > weight(*decisive)) decisive = &attempt;
  }
  alert.state = StateOfEnd(decisive->status());
  if (alert.state != v1::ALERT_STATE_DELIVERED) alert.reason = decisive->reason();
  WallTime ended = WallTime::min();
  for (const AttemptProjection& attempt : attempts) ended = std::max(ended, attempt.status_since());
  alert.ended = ended;
}

}  // namespace

ProjectedAlert ProjectAlert(bool accepted, std::span<const AlertEvent> alert_events,
                            const PlanTerms& plan) {
  Gathered gathered = Gather(alert_events, plan);
  ProjectedAlert alert;
  alert.updated = gathered.updated;
  alert.attempts = std::move(gathered.attempts);
  for (const AttemptProjection& attempt : alert.attempts)
    alert.reach = std::max(alert.reach, attempt.reach());
  if (!gathered.acknowledged.empty()) alert.reach = v1::REACH_ACKNOWLEDGED;
  const Pending pending = PendingOf(alert.attempts, plan.target_count);
  const bool cancelled =
      gathered.cancelled && (!gathered.missed || *gathered.cancelled < *gathered.missed);
  if (gathered.missed && !cancelled) {
    alert.state = v1::ALERT_STATE_NOT_ACKNOWLEDGED;
    alert.reason = kGoalMissedReason;
    alert.ended = gathered.missed;
  } else if (const auto acknowledged = Acknowledged(gathered.acknowledged, plan.person_count)) {
    alert.state = v1::ALERT_STATE_ACKNOWLEDGED;
    alert.ended = acknowledged;
  } else if (const auto delivered = Delivered(alert.attempts, plan.goal)) {
    alert.state = v1::ALERT_STATE_DELIVERED;
    alert.ended = delivered;
  } else if (pending.in_progress) {
    alert.state = StateInProgress(alert.attempts);
  } else if (cancelled && (pending.waiting || plan.goal > v1::REACH_DELIVERED)) {
    alert.state = v1::ALERT_STATE_CANCELLED;
    alert.reason = Name(ErrorCode::kCancelled);
    alert.ended = gathered.cancelled;
  } else if (pending.waiting || !accepted || plan.goal > v1::REACH_DELIVERED) {
    // A goal beyond delivery may still be reached when nothing is sent any more.
    alert.state = StateInProgress(alert.attempts);
  } else {
    Finish(alert.attempts, alert);
  }
  return alert;
}

PlanTerms TermsOf(const records::v1::Plan& plan) {
  if (plan.targets().empty()) return {};
  PlanTerms terms{.goal = plan.goal().reach(),
                  .person_count = plan.goal().person_count(),
                  .target_count = plan.targets_size()};
  for (const records::v1::PlannedTarget& target : plan.targets())
    terms.persons.push_back(target.person());
  return terms;
}

const std::string& PersonOf(const AlertEvent& acknowledgement, const PlanTerms& plan) {
  if (!acknowledgement.person.empty()) return acknowledgement.person;
  // A key was pressed while the work record of the call was not available.
  const auto target = static_cast<std::size_t>(acknowledgement.step);
  if (acknowledgement.actor_id.empty() && target > 0 && target <= plan.persons.size())
    return plan.persons[target - 1];
  return acknowledgement.actor_id;
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
    case v1::ALERT_STATE_REJECTED:
    case v1::ALERT_STATE_NOT_ACKNOWLEDGED: return true;
    default: return false;
  }
}

}  // namespace tocsin
