#include "tests/model/checker.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/domain/alert/ids.h"
#include "common/domain/delivery/due_time.h"

namespace tocsin::model {
namespace {

bool IsCertain(const records::v1::AttemptResult& result) {
  return result.outcome() != records::v1::ATTEMPT_OUTCOME_IN_DOUBT &&
         result.outcome() != records::v1::ATTEMPT_OUTCOME_UNSPECIFIED;
}

bool Same(const ProjectedAlert& a, const ProjectedAlert& b) {
  const auto same_attempt = [](const AttemptProjection& x, const AttemptProjection& y) {
    return x.status() == y.status() && x.reason() == y.reason() &&
           x.provider_sid() == y.provider_sid() && x.status_since() == y.status_since() &&
           x.provider_code() == y.provider_code() && x.last() == y.last() &&
           x.next_attempt() == y.next_attempt();
  };
  return a.state == b.state && a.reason == b.reason && a.ended == b.ended &&
         a.updated == b.updated && std::ranges::equal(a.attempts, b.attempts, same_attempt);
}

v1::AttemptRef RefOf(const std::string& alert_id, const AttemptProjection& projection) {
  v1::AttemptRef ref;
  ref.set_alert_id(alert_id);
  ref.set_step(projection.step());
  ref.set_attempt(projection.attempt());
  return ref;
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
  steps += other.steps;
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

void Checker::Enqueued(const std::string& alert_id, const Terms& terms) {
  ++counts.alerts;
  alerts_[alert_id].terms = terms;
}

void Checker::Appended(const IncomingRecord& record) {
  const std::string& topic = record.position.topic();
  if (topic == topics_.Events()) return ReadEvent(record);
  if (topic == topics_.Webhooks()) return ReadWebhook(record);
  if (topic == topics_.Dead(v1::CHANNEL_SMS)) {
    records::v1::DeadLetterRecord dead;
    if (!dead.ParseFromString(record.value)) return Violate("a dead letter is unparsable");
    Of(dead.work().attempt()).dead = true;
    return;
  }
  if (topic == topics_.Consents()) return;
  records::v1::WorkRecord work;
  if (!work.ParseFromString(record.value)) return Violate("a work record is unparsable");
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
  if (!event.has_attempt_changed()) return;
  const records::v1::AttemptChanged& changed = event.attempt_changed();
  AttemptTruth& attempt = Of(event.attempt());
  if (changed.status() == v1::ATTEMPT_STATUS_SENDING) attempt.started = true;
  if (changed.status() == v1::ATTEMPT_STATUS_SENT) attempt.known = true;
  if (changed.status() == v1::ATTEMPT_STATUS_FAILED && changed.last()) attempt.given_up = true;
  if (changed.resolved_by() == v1::RESOLVED_BY_LIST_ABSENCE && !attempt.not_received) {
    attempt.not_received = true;
    ++counts.not_received;
  }
  if (changed.status() == v1::ATTEMPT_STATUS_IN_DOUBT && !attempt.was_in_doubt) {
    attempt.was_in_doubt = true;
    ++counts.in_doubt;
  }
}

void Checker::ReadWebhook(const IncomingRecord& record) {
  records::v1::WebhookRecord webhook;
  if (!webhook.ParseFromString(record.value)) return Violate("a webhook is unparsable");
  if (const auto alert_event = AlertEventOf(webhook))
    alerts_[webhook.attempt().alert_id()].alert_events.try_emplace(alert_event->id, *alert_event);
  Of(webhook.attempt()).known = true;
}

void Checker::Granted(const v1::AttemptRef& ref) {
  if (cancelled_.contains(ref.alert_id()))
    Violate(AttemptText(ref) + " is granted after a confirmed cancel");
}

void Checker::Saved(const v1::AttemptRef& ref, const records::v1::AttemptResult& given,
                    const std::optional<records::v1::AttemptResult>& stored) {
  if (!stored) return;
  AttemptTruth& attempt = Of(ref);
  if (attempt.certain && stored->outcome() == records::v1::ATTEMPT_OUTCOME_IN_DOUBT)
    Violate(AttemptText(ref) + " is in doubt after a certain result was saved");
  attempt.certain = attempt.certain || (IsCertain(given) && IsCertain(*stored));
}

void Checker::PostStarted(const v1::AttemptRef& ref) {
  AttemptTruth& attempt = Of(ref);
  const WallTime now = timeline_.Now();
  const Terms& terms = alerts_[ref.alert_id()].terms;
  ++counts.posts;
  if (++attempt.posts > 1) Violate(AttemptText(ref) + " is POSTed twice");
  if (!attempt.started)
    Violate(AttemptText(ref) + " is POSTed before its SENDING event is in the log");
  if (now < terms.send_time) Violate(AttemptText(ref) + " is POSTed before its send time");
  if (now > terms.expire_time) Violate(AttemptText(ref) + " is POSTed after its expire time");
  const auto pause = pauses_.find(ref.alert_id());
  if (pause != pauses_.end() && now < pause->second)
    Violate(AttemptText(ref) + " is POSTed before Retry-After");
}

void Checker::Accepted(const v1::AttemptRef& ref) {
  ++counts.accepted;
  if (++Of(ref).accepted > 1) Violate(AttemptText(ref) + " was accepted twice");
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

void Checker::Committed(const Place& place, std::int64_t from, std::int64_t to) {
  if (to < from) Violate("a committed offset decreases");
  for (std::int64_t offset = from; offset < to; ++offset)
    if (!finished_.contains({place, offset}))
      return Violate(fmt::format("{}/{} is committed past its unfinished record {}", place.first,
                                 place.second, offset));
}

void Checker::CheckFinalState(const Broker& broker, Dice& dice) {
  for (const auto& [place, partition] : broker.All()) {
    const bool consumed = topics_.TierOf(place.first) || place.first == topics_.Webhooks() ||
                          place.first == topics_.Events() ||
                          std::ranges::count(topics_.Lanes(v1::CHANNEL_SMS), place.first) > 0;
    if (consumed && partition.committed != static_cast<std::int64_t>(partition.records.size()))
      Violate(place.first + " has unfinished records at the end");
  }
  for (const auto& [key, attempt] : attempts_) CheckAttempt(attempt);
  for (auto& [alert_id, alert] : alerts_) CheckAlert(alert_id, alert, dice);
}

void Checker::CheckAttempt(const AttemptTruth& attempt) {
  if (attempt.accepted > 0 && !attempt.known && !attempt.was_in_doubt)
    Violate(AttemptText(attempt.ref) + " was accepted, but no record shows it");
  if (attempt.accepted > 0 && attempt.not_received)
    Violate(AttemptText(attempt.ref) + " was accepted, but counts as never received");
  if (attempt.given_up && !attempt.dead)
    Violate(AttemptText(attempt.ref) + " failed finally without a dead letter");
}

// Resolved by a duplicate's list entry, until a callback moved that entry to the duplicate.
bool Checker::LostItsSid(const std::string& alert_id, const ProjectedAlert& projected) {
  return std::ranges::any_of(projected.attempts, [&](const AttemptProjection& projection) {
    const AttemptTruth& attempt = Of(RefOf(alert_id, projection));
    return attempt.was_in_doubt && attempt.accepted == 0 && !projection.provider_sid().empty();
  });
}

void Checker::CheckAlert(const std::string& alert_id, AlertTruth& alert, Dice& dice) {
  std::vector<AlertEvent> alert_events;
  for (const auto& [id, alert_event] : alert.alert_events) alert_events.push_back(alert_event);
  const ProjectedAlert projected = ProjectAlert(true, alert_events);
  CompareProjections(alert_id, projected, std::move(alert_events), dice);
  const bool waits =
      projected.state == v1::ALERT_STATE_SENT &&
      (alert.silent || LostItsSid(alert_id, projected));  // reconciliation would end it
  if (!IsEnd(projected.state) && !waits)
    Violate(alert_id + " is not final: " + v1::AlertState_Name(projected.state));
  if (alert.delivered && projected.state != v1::ALERT_STATE_DELIVERED)
    Violate(alert_id + " was delivered, but ended as " + v1::AlertState_Name(projected.state));
  if (IsEnd(projected.state) && projected.state != v1::ALERT_STATE_DELIVERED &&
      projected.reason.empty())
    Violate(alert_id + " ended without a reason");
  unsigned accepted = 0;
  unsigned excused = 0;
  for (const AttemptProjection& projection : projected.attempts) {
    const AttemptTruth& attempt = Of(RefOf(alert_id, projection));
    accepted += attempt.accepted;
    excused += attempt.accepted > 0 &&
               ((attempt.was_in_doubt && !attempt.not_received) || attempt.undelivered);
  }
  if (accepted > 1 + excused) Violate(alert_id + " was sent twice without an IN_DOUBT event");
}

void Checker::CompareProjections(const std::string& alert_id, const ProjectedAlert& projected,
                                 std::vector<AlertEvent> alert_events, Dice& dice) {
  const size_t count = alert_events.size();
  for (size_t i = 0; i < count; ++i) {
    std::swap(alert_events[i], alert_events[dice.Below(count)]);
    if (dice.Chance(0.3)) alert_events.push_back(alert_events[i]);
  }
  if (!Same(projected, ProjectAlert(true, alert_events)))
    Violate(alert_id + " projects to another state in another order");
}

}  // namespace tocsin::model
