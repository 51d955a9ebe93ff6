#include "common/domain/delivery/log_claim.h"

#include <algorithm>

#include "common/base/error.h"
#include "common/domain/alert/ids.h"
#include "common/domain/delivery/clearance.h"
#include "common/domain/delivery/in_doubt.h"
#include "common/domain/delivery/known_attempt.h"

namespace tocsin {

bool MayBeUnknownToStore(const records::v1::Event& event) {
  if (event.has_cancel_requested() || event.has_acknowledged() || event.has_declined()) return true;
  if (event.priority() != v1::PRIORITY_EMERGENCY || !event.has_attempt_changed()) return false;
  return event.attempt_changed().status() != v1::ATTEMPT_STATUS_SENDING ||
         event.attempt_changed().note() == kStartedByLog;
}

void LogClaim::Apply(const records::v1::Event& event, const records::v1::Position& position) {
  if (read_ || event.attempt().alert_id() != name_.alert_id()) return;
  if (position.offset() == ours_.offset() && position.partition() == ours_.partition()) {
    read_ = true;
    return;
  }
  if (event.has_cancel_requested()) return Stop(event, TraitsOf(ErrorCode::kCancelled).name);
  if (event.has_goal_missed()) return Stop(event, kGoalMissedReason);
  if (event.has_acknowledged()) return ApplyAcknowledgement(event);
  if (event.has_declined()) return StopPerson(event, event.declined().person());
  if (AttemptText(event.attempt()) != AttemptText(name_)) return;
  const std::optional<KnownAttempt> known = KnownAttemptOf(event);
  if (!known || known->mark) return;
  if (known->result.outcome() == records::v1::ATTEMPT_OUTCOME_UNSPECIFIED) {
    const bool counts = starts_ == Starts::kAll || event.attempt_changed().note() == kStartedByLog;
    if (event.has_attempt_changed() && counts && !started_) {
      started_ = true;
      began_ = known->time;
      lease_until_ = known->lease_until;
    }
    return;
  }
  const bool first = result_.outcome() == records::v1::ATTEMPT_OUTCOME_UNSPECIFIED || stopped_;
  if (first || (ProofOf(result_) != Proof::kCertain && ProofOf(known->result) > ProofOf(result_)))
    result_ = known->result;
  stopped_ = false;  // a started attempt outranks a mark
}

void LogClaim::ApplyAcknowledgement(const records::v1::Event& event) {
  const records::v1::Acknowledged& acknowledged = event.acknowledged();
  const std::string& person =
      acknowledged.person().empty() ? acknowledged.actor_id() : acknowledged.person();
  persons_.insert(person);
  const std::int32_t needed = plan_ ? std::max(plan_->person_count, 1) : 1;
  if (std::ssize(persons_) >= needed) return Stop(event, kAcknowledgedReason);
  StopPerson(event, person);
}

void LogClaim::StopPerson(const records::v1::Event& event, const std::string& person) {
  if (plan_ && plan_->person == person) Stop(event, kPersonDoneReason);
}

void LogClaim::Stop(const records::v1::Event& event, std::string_view reason) {
  if (started_ || result_.outcome() != records::v1::ATTEMPT_OUTCOME_UNSPECIFIED) return;
  result_ = NotAttempted(v1::ATTEMPT_STATUS_CANCELLED, ErrorCode::kCancelled,
                         FromUnixMicros(event.time_us()));
  result_.set_reason(std::string(reason));
  stopped_ = true;
}

LogClaim::Verdict LogClaim::verdict() const {
  if (!read_) return Verdict::kUnread;
  if (stopped_) return Verdict::kStopped;
  if (result_.outcome() != records::v1::ATTEMPT_OUTCOME_UNSPECIFIED) return Verdict::kDone;
  return started_ ? Verdict::kStarted : Verdict::kOurs;
}

}  // namespace tocsin
