#include "common/domain/delivery/known_attempt.h"

#include <algorithm>

#include "common/base/error.h"
#include "common/domain/alert/alert_projection.h"
#include "common/domain/alert/event_of_alert.h"
#include "common/domain/delivery/in_doubt.h"

namespace tocsin {
namespace {

// The outcome that a failure event stands for: what follows from it equals what followed from the
// result.
records::v1::AttemptOutcome OutcomeOf(const records::v1::AttemptChanged& changed) {
  if (changed.reason() == TraitsOf(ErrorCode::kInDoubt).name ||
      changed.reason() == TraitsOf(ErrorCode::kNotReceived).name)
    return records::v1::ATTEMPT_OUTCOME_UNRESOLVED;
  if (changed.reason() == TraitsOf(ErrorCode::kRateLimitExceeded).name)
    return records::v1::ATTEMPT_OUTCOME_RATE_LIMITED;
  return changed.http_status() == 0 && changed.provider_code() == 0
             ? records::v1::ATTEMPT_OUTCOME_NOT_SENT
             : records::v1::ATTEMPT_OUTCOME_REFUSED;
}

records::v1::AttemptOutcome OutcomeOf(v1::AttemptStatus status,
                                      const records::v1::AttemptChanged& changed) {
  if (!changed.provider_sid().empty()) return records::v1::ATTEMPT_OUTCOME_ACCEPTED;
  switch (status) {
    case v1::ATTEMPT_STATUS_IN_DOUBT: return records::v1::ATTEMPT_OUTCOME_IN_DOUBT;
    case v1::ATTEMPT_STATUS_FAILED: return OutcomeOf(changed);
    case v1::ATTEMPT_STATUS_SUPPRESSED:
      return changed.provider_code() != 0 ? records::v1::ATTEMPT_OUTCOME_REFUSED
                                          : records::v1::ATTEMPT_OUTCOME_NOT_ATTEMPTED;
    case v1::ATTEMPT_STATUS_EXPIRED:
    case v1::ATTEMPT_STATUS_CANCELLED:
    case v1::ATTEMPT_STATUS_REJECTED: return records::v1::ATTEMPT_OUTCOME_NOT_ATTEMPTED;
    default: return records::v1::ATTEMPT_OUTCOME_UNSPECIFIED;
  }
}

// What Acknowledged and Declined have in common, except for the person.
template <typename Content>
void SetEvidence(const KnownMark& mark, Content& content) {
  content.set_method(mark.method);
  content.set_step(mark.step);
  content.set_evidence(mark.evidence);
}

// Of an Acknowledged or a Declined.
template <typename Content>
KnownMark MarkOf(KnownMark::Kind kind, const Content& content) {
  return {.kind = kind,
          .method = content.method(),
          .step = content.step(),
          .evidence = content.evidence(),
          .person = content.person()};
}

}  // namespace

records::v1::Event AcknowledgedEvent(const std::string& client_id, const std::string& alert_id,
                                     WallTime time, const KnownMark& mark) {
  const std::string& person = mark.person.empty() ? mark.actor_id : mark.person;
  const std::string seed = person.empty() ? std::string() : '/' + person;
  records::v1::Event event = EventOfAlert(client_id, alert_id, time, "acknowledged" + seed);
  records::v1::Acknowledged& acknowledged = *event.mutable_acknowledged();
  SetEvidence(mark, acknowledged);
  acknowledged.set_actor_id(mark.actor_id);
  // The store may not know yet whether the actor is a person of a plan. The event is the same.
  if (person != mark.actor_id) acknowledged.set_person(person);
  return event;
}

records::v1::Event DeclinedEvent(const std::string& client_id, const std::string& alert_id,
                                 WallTime time, const KnownMark& mark) {
  // A repetition has another time and evidence if the mark could not be stored.
  const std::string seed =
      "declined/" + mark.person + "/" + mark.evidence + "/" + std::to_string(ToUnixMicros(time));
  records::v1::Event event = EventOfAlert(client_id, alert_id, time, seed);
  records::v1::Declined& declined = *event.mutable_declined();
  SetEvidence(mark, declined);
  declined.set_person(mark.person);
  return event;
}

std::optional<KnownAttempt> KnownAttemptOf(const records::v1::Event& event) {
  KnownAttempt known{.name = event.attempt(),
                     .client_id = event.client_id(),
                     .time = FromUnixMicros(event.time_us()),
                     .lease_until = {},
                     .result = {}};
  if (event.has_cancel_requested()) {
    known.mark = KnownMark{};
    return known;
  }
  if (event.has_acknowledged()) {
    known.mark = MarkOf(KnownMark::Kind::kAcknowledged, event.acknowledged());
    known.mark->actor_id = event.acknowledged().actor_id();
    return known;
  }
  if (event.has_declined()) {
    known.mark = MarkOf(KnownMark::Kind::kDeclined, event.declined());
    return known;
  }
  if (event.has_goal_missed()) {
    known.mark = KnownMark{.kind = KnownMark::Kind::kGoalMissed};
    return known;
  }
  if (event.attempt().attempt() == 0) return std::nullopt;
  if (event.fact_case() == records::v1::Event::kAttemptPriced) {
    known.priced = true;
    known.result.set_provider_sid(event.attempt_priced().provider_sid());
    return known;
  }
  if (event.fact_case() != records::v1::Event::kAttemptChanged) return std::nullopt;
  const records::v1::AttemptChanged& changed = event.attempt_changed();
  known.person = changed.person();
  known.person_count = changed.person_count();
  known.goal = changed.goal();
  if (changed.status() == v1::ATTEMPT_STATUS_SENDING) {
    known.lease_until = FromUnixMicros(changed.lease_expire_time_us());
    known.ack_code = changed.ack_code();
    known.recipient_token = event.recipient().token();
    return known;
  }
  records::v1::AttemptResult& result = known.result;
  result.set_outcome(OutcomeOf(changed.status(), changed));
  if (result.outcome() == records::v1::ATTEMPT_OUTCOME_UNSPECIFIED) return std::nullopt;
  if (result.outcome() == records::v1::ATTEMPT_OUTCOME_NOT_ATTEMPTED ||
      result.outcome() == records::v1::ATTEMPT_OUTCOME_UNRESOLVED)
    result.set_status(changed.status());
  result.set_provider_sid(changed.provider_sid());
  result.set_provider_code(changed.provider_code());
  result.set_error_class(changed.error_class());
  result.set_http_status(changed.http_status());
  // The same delay again, regardless of its reason.
  if (changed.next_due_time_us() != 0)
    result.set_retry_after_us(changed.next_due_time_us() - event.time_us());
  result.set_begin_time_us(event.time_us());
  result.set_end_time_us(event.time_us());
  result.set_sender_id(changed.sender_id());
  result.set_account_sid(changed.account_sid());
  result.set_reason(changed.reason());
  result.set_segment_count(changed.segment_count());
  result.set_resolved_by(changed.resolved_by());
  // The last call that a machine answered ends its alert as delivered.
  const bool last_by_machine =
      changed.status() == v1::ATTEMPT_STATUS_ANSWERED_MACHINE && changed.last();
  known.ended = result.outcome() == records::v1::ATTEMPT_OUTCOME_ACCEPTED &&
                (IsEnd(changed.status()) || last_by_machine);
  const bool decides = changed.last() || changed.next_attempt() != 0;
  if (result.outcome() == records::v1::ATTEMPT_OUTCOME_ACCEPTED && decides)
    known.undelivered_time = known.time;
  known.delivered =
      known.ended && (changed.status() == v1::ATTEMPT_STATUS_DELIVERED || last_by_machine);
  return known;
}

std::optional<KnownAttempt> KnownAttemptOf(const records::v1::WebhookRecord& callback) {
  if (!callback.has_attempt() || callback.provider_sid().empty() || !AlertEventOf(callback))
    return std::nullopt;
  const records::v1::AttemptResult result = ProvenByCallback(callback);
  return KnownAttempt{.name = callback.attempt(),
                      .client_id = {},
                      .time = FromUnixMicros(callback.receive_time_us()),
                      .lease_until = {},
                      .result = result,
                      .ended = IsEnd(result.status()),
                      .delivered = result.status() == v1::ATTEMPT_STATUS_DELIVERED};
}

WallTime EarliestEventTime(const records::v1::WorkRecord& work) {
  return FromUnixMicros(work.first_publish_time_us());
}

}  // namespace tocsin
