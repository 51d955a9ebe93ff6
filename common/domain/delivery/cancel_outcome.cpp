#include "common/domain/delivery/cancel_outcome.h"

#include <algorithm>
#include <vector>

#include "common/domain/delivery/known_attempt.h"
#include "common/domain/delivery/log_claim.h"

namespace tocsin {
namespace {

// Whether Twilio's response rules out any further attempt.
bool IsRefusedForGood(const records::v1::AttemptResult& result) {
  if (result.outcome() != records::v1::ATTEMPT_OUTCOME_REFUSED) return false;
  switch (result.error_class()) {
    case records::v1::PROVIDER_ERROR_CLASS_PERMANENT_NUMBER:
    case records::v1::PROVIDER_ERROR_CLASS_PERMANENT_CONTENT:
    case records::v1::PROVIDER_ERROR_CLASS_OPT_OUT:
    case records::v1::PROVIDER_ERROR_CLASS_GEOGRAPHY: return true;
    default: return false;
  }
}

bool IsCancelled(const records::v1::AttemptResult& result) {
  return result.outcome() == records::v1::ATTEMPT_OUTCOME_NOT_ATTEMPTED &&
         result.status() == v1::ATTEMPT_STATUS_CANCELLED;
}

// Whether Twilio certainly has nothing of the attempt, and another one was to follow.
bool WasNeverSent(const records::v1::AttemptResult& result) {
  return result.outcome() == records::v1::ATTEMPT_OUTCOME_NOT_SENT ||
         result.outcome() == records::v1::ATTEMPT_OUTCOME_RATE_LIMITED || IsCancelled(result);
}

// False for an attempt that the in-doubt policy ended: it may have been resent.
bool EndsItsAlert(const records::v1::AttemptResult& result) {
  if (IsCancelled(result)) return false;
  return result.outcome() == records::v1::ATTEMPT_OUTCOME_NOT_ATTEMPTED || IsRefusedForGood(result);
}

}  // namespace

v1::CancelOutcome CancelOutcomeOf(const CancelledAlert& alert) {
  if (alert.acknowledged || alert.delivered) return v1::CANCEL_OUTCOME_ALREADY_ENDED;
  if (alert.post_in_progress) return v1::CANCEL_OUTCOME_TOO_LATE;
  if (std::ranges::all_of(alert.results, WasNeverSent)) return v1::CANCEL_OUTCOME_CANCELLED;
  return EndsItsAlert(alert.results.back()) && !alert.has_plan ? v1::CANCEL_OUTCOME_ALREADY_ENDED
                                                               : v1::CANCEL_OUTCOME_TOO_LATE;
}

void StartsBeforeCancel::Apply(const records::v1::Event& event) {
  cancelled_ = cancelled_ || event.has_cancel_requested();
  if (cancelled_) return;
  const std::optional<KnownAttempt> known = KnownAttemptOf(event);
  if (!known || known->mark || known->priced) return;
  has_plan_ = has_plan_ || !known->person.empty();
  const AttemptNumber number(known->name.step(), known->name.attempt());
  const bool has_result = known->result.outcome() != records::v1::ATTEMPT_OUTCOME_UNSPECIFIED;
  if (has_result) {
    if (const auto found = attempts_.find(number); found != attempts_.end())
      found->second = known->result;
  } else if (event.attempt_changed().note() == kStartedByLog) {
    attempts_.try_emplace(number);
  }
}

v1::CancelOutcome StartsBeforeCancel::outcome() const {
  std::vector<records::v1::AttemptResult> results;
  for (const auto& [number, result] : attempts_) {
    if (result.outcome() == records::v1::ATTEMPT_OUTCOME_UNSPECIFIED)
      return v1::CANCEL_OUTCOME_TOO_LATE;
    results.push_back(result);
  }
  return CancelOutcomeOf({.has_plan = has_plan_, .results = results});
}

}  // namespace tocsin
