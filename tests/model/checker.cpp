#include "tests/model/checker.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/base/error.h"
#include "common/domain/alert/ids.h"
#include "common/domain/delivery/call_retry.h"
#include "common/domain/delivery/due_time.h"
#include "common/domain/delivery/follow_up.h"
#include "common/domain/delivery/in_doubt.h"
#include "common/domain/delivery/known_attempt.h"

namespace tocsin::model {
namespace {

bool IsCertain(const records::v1::AttemptResult& result) {
  return result.outcome() != records::v1::ATTEMPT_OUTCOME_IN_DOUBT &&
         result.outcome() != records::v1::ATTEMPT_OUTCOME_UNSPECIFIED;
}

// The first attempt counts as an attempt and as a call, if it is one.
std::int32_t RetryCount(const records::v1::RetryBudget& budget) {
  return budget.attempts_used() - 1 + budget.unmetered_retries() +
         std::max(budget.calls_placed() - 1, 0);
}

// The delay until the call after one that ended so; nothing if none may follow.
std::optional<Micros> DelayAfter(v1::AttemptStatus end, bool for_good) {
  const CallRetryPolicy policy;
  switch (end) {
    case v1::ATTEMPT_STATUS_BUSY: return policy.busy;
    case v1::ATTEMPT_STATUS_NO_ANSWER: return policy.no_answer;
    case v1::ATTEMPT_STATUS_FAILED: return for_good ? std::nullopt : std::optional(policy.failed);
    case v1::ATTEMPT_STATUS_ANSWERED_MACHINE: return policy.machine;
    default: return std::nullopt;
  }
}

}  // namespace

Counts& Counts::operator+=(const Counts& other) {
  alerts += other.alerts;
  posts += other.posts;
  accepted += other.accepted;
  in_doubt += other.in_doubt;
  not_received += other.not_received;
  kills += other.kills;
  freezes += other.freezes;
  repeated_calls += other.repeated_calls;
  acknowledged += other.acknowledged;
  steps += other.steps;
  plans += other.plans;
  return *this;
}

void Checker::Violate(const std::string& what) {
  timeline_.Trace("VIOLATED: " + what);
  violations_.push_back(what);
}

Checker::AttemptTruth& Checker::Of(const v1::AttemptRef& ref) {
  AttemptTruth& attempt = attempts_[AttemptText(ref)];
  if (attempt.ref.alert_id().empty()) attempt.ref = ref;
  return attempt;
}

void Checker::Enqueued(const records::v1::WorkRecord& work) {
  ++counts.alerts;
  alerts_[work.attempt().alert_id()].terms = {work.priority() == v1::PRIORITY_EMERGENCY,
                                              FromUnixMicros(work.send_time_us()),
                                              FromUnixMicros(work.expire_time_us())};
  plans.Enqueued(work);
}

void Checker::Appended(const IncomingRecord& record) {
  const std::string& topic = record.position.topic();
  if (topic == topics_.Events()) return ReadEvent(record);
  if (topic == topics_.Webhooks()) return ReadWebhook(record);
  if (topic == topics_.Dead(v1::CHANNEL_SMS) || topic == topics_.Dead(v1::CHANNEL_VOICE)) {
    records::v1::DeadLetterRecord dead;
    if (!dead.ParseFromString(record.value)) return Violate("a dead letter is unparsable");
    Of(dead.work().attempt()).dead = true;
    return;
  }
  if (topic == topics_.Consents()) return;
  records::v1::WorkRecord work;
  if (!work.ParseFromString(record.value)) return Violate("a work record is unparsable");
  if (work.kind() != records::v1::WORK_KIND_DEADLINE &&
      work.attempt().attempt() != RetryCount(work.retry_budget()) + 1)
    Violate(AttemptText(work.attempt()) + " does not have the number of its retries");
  // The acceptance is published to its lane in any case.
  if (!topics_.TierOf(topic) && !record.Header(kHeaderAccepts) && DueTime(work) > timeline_.Now())
    Violate(AttemptText(work.attempt()) + " is in its lane before it is due");
}

void Checker::ReadEvent(const IncomingRecord& record) {
  records::v1::Event event;
  if (!event.ParseFromString(record.value)) return Violate("an event is unparsable");
  const auto [stored, first] = event_bytes_.try_emplace(event.event_id(), record.value);
  if (!first && stored->second != record.value) {
    records::v1::Event other;
    other.ParseFromString(stored->second);
    Violate("two events with the same id differ: " + other.ShortDebugString() + " and " +
            event.ShortDebugString());
  }
  if (const auto alert_event = AlertEventOf(event))
    alerts_[event.attempt().alert_id()].alert_events.try_emplace(alert_event->id, *alert_event);
  plans.Appended(event);
  if (!event.has_attempt_changed()) return;
  const records::v1::AttemptChanged& changed = event.attempt_changed();
  CheckUndelivered(event);
  AttemptTruth& attempt = Of(event.attempt());
  if (changed.status() == v1::ATTEMPT_STATUS_SENDING) attempt.started = true;
  if (changed.status() == v1::ATTEMPT_STATUS_SENT) {
    attempt.known = true;
    // A callback resolved the doubt before the dead letter was published.
    if (first && attempt.was_in_doubt) attempt.given_up = false;
  }
  if (changed.last() && (changed.status() == v1::ATTEMPT_STATUS_FAILED ||
                         changed.status() == v1::ATTEMPT_STATUS_BUSY ||
                         changed.status() == v1::ATTEMPT_STATUS_NO_ANSWER))
    attempt.given_up = true;
  if (changed.status() == v1::ATTEMPT_STATUS_FAILED && record.Header(kHeaderUnpersisted))
    attempt.unpersisted = true;
  if (changed.status() == v1::ATTEMPT_STATUS_CANCELLED) attempt.stopped = true;
  if (changed.resolved_by() == v1::RESOLVED_BY_LIST_ABSENCE && !attempt.not_received) {
    attempt.not_received = true;
    ++counts.not_received;
  }
  // A worker that is killed may leave the lookup in the log, but not the IN_DOUBT event. Then the
  // event of the resolution has IN_DOUBT as its reason.
  const bool in_doubt = changed.status() == v1::ATTEMPT_STATUS_IN_DOUBT ||
                        changed.reason() == TraitsOf(ErrorCode::kInDoubt).name;
  if (in_doubt && !attempt.was_in_doubt) {
    attempt.was_in_doubt = true;
    ++counts.in_doubt;
  }
}

// All reports of a failure after acceptance decide the same. Only the next attempt of an emergency
// does not wait for the store.
void Checker::CheckUndelivered(const records::v1::Event& event) {
  const auto known = KnownAttemptOf(event);
  if (!known || !known->undelivered_time || alerts_[event.attempt().alert_id()].terms.emergency)
    return;
  const WallTime time = *known->undelivered_time;
  AttemptTruth& attempt = Of(event.attempt());
  if (attempt.undelivered_time.value_or(time) != time)
    Violate(AttemptText(attempt.ref) + " failed once, but what follows is decided twice");
  attempt.undelivered_time = time;
}

void Checker::ReadWebhook(const IncomingRecord& record) {
  records::v1::WebhookRecord webhook;
  if (!webhook.ParseFromString(record.value)) return Violate("a webhook is unparsable");
  if (!webhook.has_attempt()) return Violate("a webhook names no attempt");
  AlertTruth& alert = alerts_[webhook.attempt().alert_id()];
  if (const auto alert_event = AlertEventOf(webhook))
    alert.alert_events.try_emplace(alert_event->id, *alert_event);
  if (completed_overrides_acknowledgement && webhook.status() == v1::ATTEMPT_STATUS_DELIVERED)
    std::erase_if(alert.alert_events, [](const auto& stored) {
      return stored.second.kind == AlertEventKind::kAcknowledged;
    });
  AttemptTruth& attempt = Of(webhook.attempt());
  attempt.known = true;
  attempt.undelivered = attempt.undelivered || IsRetryable(webhook);
}

void Checker::Granted(const v1::AttemptRef& ref) {
  if (marked_.contains(ref.alert_id()))
    Violate(AttemptText(ref) + " is granted after its alert was marked");
  plans.Granted(ref);
}

// A person of a plan stops only some of its attempts.
void Checker::Marked(const std::string& alert_id, const KnownMark& mark) {
  if (mark.kind == KnownMark::Kind::kCancelled || !plans.Has(alert_id)) marked_.insert(alert_id);
  plans.Marked(alert_id, mark);
}

void Checker::CancelRequested(const std::string& alert_id) { ++alerts_[alert_id].cancel_requests; }

// Before a repeated request, an earlier one without a response may have stopped an attempt.
void Checker::Cancelled(const std::string& alert_id, v1::CancelOutcome outcome) {
  AlertTruth& alert = alerts_[alert_id];
  alert.cancelled = outcome == v1::CANCEL_OUTCOME_CANCELLED;
  if (alert.cancelled && !alert.cancel_time) alert.cancel_time = timeline_.Now();
  if (outcome == v1::CANCEL_OUTCOME_ALREADY_ENDED && alert.cancel_requests == 1)
    alert.ended_at_cancel = true;
}

void Checker::AcknowledgementRequested(const std::string& alert_id, const std::string& person) {
  alerts_[alert_id].acknowledgement_requested = true;
  plans.AcknowledgementRequested(alert_id, person);
}

void Checker::Acknowledged(const std::string& alert_id, const std::string& person, bool stored) {
  AlertTruth& alert = alerts_[alert_id];
  plans.Acknowledged(alert_id, person, stored);
  if (!alert.acknowledged) ++counts.acknowledged;
  alert.acknowledged = true;
}

void Checker::Saved(const v1::AttemptRef& ref, const records::v1::AttemptResult& given,
                    const std::optional<records::v1::AttemptResult>& stored) {
  plans.Reached(ref.alert_id(), given);
  if (!stored) return;
  AttemptTruth& attempt = Of(ref);
  if (attempt.call && WasAnsweredByPerson(given)) attempt.call->person_saved = true;
  if (attempt.call && IsEnd(given.status()))
    (attempt.call->person_saved ? attempt.call->person_known_at_end
                                : attempt.call->person_unknown_at_end) = true;
  if (given.outcome() == records::v1::ATTEMPT_OUTCOME_ACCEPTED &&
      stored->outcome() == records::v1::ATTEMPT_OUTCOME_NOT_ATTEMPTED)
    Violate(AttemptText(ref) + " was accepted, but stays stored as not attempted");
  if (attempt.certain && stored->outcome() == records::v1::ATTEMPT_OUTCOME_IN_DOUBT)
    Violate(AttemptText(ref) + " is in doubt after a certain result was saved");
  attempt.certain = attempt.certain || (IsCertain(given) && IsCertain(*stored));
}

void Checker::PostStarted(const v1::AttemptRef& ref, v1::Channel channel) {
  AttemptTruth& attempt = Of(ref);
  const WallTime now = timeline_.Now();
  const Terms& terms = alerts_[ref.alert_id()].terms;
  ++counts.posts;
  if (++attempt.posts > 1) Violate(AttemptText(ref) + " is POSTed twice");
  if (!attempt.started)
    Violate(AttemptText(ref) + " is POSTed before its SENDING event is in the log");
  if (now < terms.send_time) Violate(AttemptText(ref) + " is POSTed before its send time");
  if (now > terms.expire_time) Violate(AttemptText(ref) + " is POSTed after its expire time");
  v1::AttemptRef before = ref;
  before.set_attempt(ref.attempt() - 1);
  const auto previous = attempts_.find(AttemptText(before));
  if (previous != attempts_.end() && !previous->second.was_in_doubt &&
      now < previous->second.pause_until)
    Violate(AttemptText(ref) + " is POSTed before Retry-After");
  if (channel == v1::CHANNEL_VOICE) CheckRepetition(ref);
  plans.PostStarted(ref, TargetWasInDoubt(ref));
}

bool Checker::TargetWasInDoubt(const v1::AttemptRef& ref) const {
  const std::string prefix = ref.alert_id() + ".";
  for (auto entry = attempts_.lower_bound(prefix);
       entry != attempts_.end() && entry->first.starts_with(prefix); ++entry)
    if (entry->second.ref.step() == ref.step() && entry->second.was_in_doubt) return true;
  return false;
}

// A call follows another one that may have reached a person only while the other one is in doubt.
void Checker::CheckRepetition(const v1::AttemptRef& ref) {
  const WallTime now = timeline_.Now();
  bool repeated = false;
  const std::string prefix = ref.alert_id() + ".";
  for (auto entry = attempts_.lower_bound(prefix);
       entry != attempts_.end() && entry->first.starts_with(prefix); ++entry) {
    const AttemptTruth& before = entry->second;
    if (before.ref.step() != ref.step() || before.ref.attempt() == ref.attempt() || !before.call ||
        before.was_in_doubt)
      continue;
    repeated = true;
    const CallTruth& call = *before.call;
    if (!call.end) {
      Violate(AttemptText(ref) + " is called during " + AttemptText(before.ref));
      continue;
    }
    // The next call of an emergency does not wait for the store.
    if (call.person_known_at_end && !call.person_unknown_at_end &&
        !alerts_[ref.alert_id()].terms.emergency)
      Violate(AttemptText(ref) + " is called after a person answered " + AttemptText(before.ref));
    const std::optional<Micros> delay = DelayAfter(*call.end, call.for_good);
    if (!delay)
      Violate(AttemptText(ref) + " is called after " + AttemptText(before.ref) + " ended as " +
              v1::AttemptStatus_Name(*call.end));
    else if (now < call.end_time + *delay)
      Violate(AttemptText(ref) + " is called before the delay after " + AttemptText(before.ref));
  }
  counts.repeated_calls += repeated ? 1 : 0;
}

void Checker::Accepted(const v1::AttemptRef& ref, v1::Channel channel) {
  ++counts.accepted;
  AttemptTruth& attempt = Of(ref);
  if (channel == v1::CHANNEL_VOICE) attempt.call = CallTruth();
  if (++attempt.accepted > 1) Violate(AttemptText(ref) + " was accepted twice");
}

void Checker::CalledBack(const v1::AttemptRef& ref, std::optional<v1::AttemptStatus> status) {
  AlertTruth& alert = alerts_[ref.alert_id()];
  if (status == v1::ATTEMPT_STATUS_DELIVERED)
    alert.delivered = true;
  else if (status == v1::ATTEMPT_STATUS_UNDELIVERED)
    Of(ref).undelivered = true;
  else
    alert.silent = true;
}

void Checker::KeyPressed(const v1::AttemptRef& ref, const std::string& key) {
  Of(ref).call->key_pressed = true;
  if (key == "1") AcknowledgementRequested(ref.alert_id(), plans.PersonOf(ref));
}

void Checker::KeyConfirmed(const v1::AttemptRef& ref, const std::string& key) {
  Of(ref).call->key_confirmed = true;
  if (key == "1") Acknowledged(ref.alert_id(), plans.PersonOf(ref), /*stored=*/false);
}

void Checker::CallEnded(const v1::AttemptRef& ref, v1::AttemptStatus status, bool for_good) {
  CallTruth& call = *Of(ref).call;
  call.end = status;
  call.end_time = timeline_.Now();
  call.for_good = for_good;
}

void Checker::CallReported(const v1::AttemptRef& ref, bool delivered) {
  AlertTruth& alert = alerts_[ref.alert_id()];
  CallTruth& call = *Of(ref).call;
  if (!delivered) {
    alert.silent = true;
    return;
  }
  call.reported = true;
  if (call.end == v1::ATTEMPT_STATUS_DELIVERED || call.end == v1::ATTEMPT_STATUS_ANSWERED_HUMAN)
    alert.delivered = true;
}

void Checker::Committed(const Subscription& subscription, std::int64_t from, std::int64_t to) {
  if (to < from) Violate("a committed offset decreases");
  for (std::int64_t offset = from; offset < to; ++offset)
    if (!finished_.contains({subscription.number, offset}))
      return Violate(fmt::format("{}/{} is committed past its unfinished record {}",
                                 subscription.place.first, subscription.place.second, offset));
}

}  // namespace tocsin::model
