// The result of a cancel request, from what the store knows of the alert. Pure.
#pragma once

#include <span>

#include "tocsin/records/v1/records.pb.h"

namespace tocsin {

// The alert as its cancellation found it.
struct CancelledAlert {
  bool post_in_progress = false;                        // a POST may be in progress
  bool acknowledged = false;                            // acknowledged before it was cancelled
  bool delivered = false;                               // a callback confirmed a delivery
  std::span<const records::v1::AttemptResult> results;  // of its attempts, in their order
};

// ALREADY_ENDED only where the alert is certainly final: delivered, acknowledged, ended by a rule,
// or refused by Twilio for good. Any other alert of which a POST was started is TOO_LATE.
v1::CancelOutcome CancelOutcomeOf(const CancelledAlert& alert);

}  // namespace tocsin
