// The result of a cancel request, from the stored state of the alert. Pure.
#pragma once

#include <map>
#include <span>
#include <utility>

#include "tocsin/records/v1/records.pb.h"

namespace tocsin {

// The alert as its cancellation found it.
struct CancelledAlert {
  bool post_in_progress = false;  // a POST may be in progress
  bool acknowledged = false;      // acknowledged before it was cancelled
  bool delivered = false;  // a callback confirmed a delivery; of a plan: its goal was decided
  bool has_plan = false;   // the end of an attempt does not end the alert
  std::span<const records::v1::AttemptResult> results;  // of its attempts, in their order
};

// ALREADY_ENDED only where the alert is certainly final: delivered, acknowledged, ended by a rule,
// or refused by Twilio for good. Any other alert with a started POST is TOO_LATE.
v1::CancelOutcome CancelOutcomeOf(const CancelledAlert& alert);

// The attempts of an alert that were started by the order of the log before it was cancelled: the
// store may not know them. An attempt whose start comes later in the log is not made (LogClaim).
class StartsBeforeCancel {
 public:
  // Takes the events of the alert in the order of the log.
  void Apply(const records::v1::Event& event);

  // CANCELLED if Twilio certainly has none of these attempts.
  v1::CancelOutcome outcome() const;

 private:
  using AttemptNumber = std::pair<std::int32_t, std::int32_t>;  // step, attempt

  bool cancelled_ = false;
  bool has_plan_ = false;
  std::map<AttemptNumber, records::v1::AttemptResult> attempts_;  // outcome unset: in progress
};

}  // namespace tocsin
