// How a record left the delivery core.
#pragma once

#include <array>
#include <string_view>

#include "tocsin/records/v1/records.pb.h"

namespace tocsin {

enum class DeliveryResult {
  kSent,           // Twilio accepted the attempt
  kFailed,         // the attempt failed; a retry may have been published
  kInDoubt,        // Twilio may have accepted the attempt
  kNotAttempted,   // a rule ended the attempt before its POST
  kRescheduled,    // not due yet: published to wait
  kUnparsable,     // not a work record of this channel: dead-lettered
  kLookupPending,  // still in doubt: the next lookup was published
  kResolvedByCallback,
  kResolvedByList,
  kResolvedByPolicy,       // no proof before the in-doubt timeout: the policy decided
  kResolvedByListAbsence,  // Twilio never received it: the next attempt was published
  kCallbackHandled,        // a callback or an event was processed
  kGoalReached,            // the deadline of a plan whose goal was reached, or that was cancelled
  kGoalMissed,             // the deadline of a plan whose goal was not reached: the alert has ended
};

std::string_view NameOf(DeliveryResult result);  // lower_snake, for metrics

inline constexpr std::array kDeliveryResults{DeliveryResult::kSent,
                                             DeliveryResult::kFailed,
                                             DeliveryResult::kInDoubt,
                                             DeliveryResult::kNotAttempted,
                                             DeliveryResult::kRescheduled,
                                             DeliveryResult::kUnparsable,
                                             DeliveryResult::kLookupPending,
                                             DeliveryResult::kResolvedByCallback,
                                             DeliveryResult::kResolvedByList,
                                             DeliveryResult::kResolvedByPolicy,
                                             DeliveryResult::kResolvedByListAbsence,
                                             DeliveryResult::kCallbackHandled,
                                             DeliveryResult::kGoalReached,
                                             DeliveryResult::kGoalMissed};

// The result of delivering a record whose attempt ended with `result`.
DeliveryResult DeliveryResultOf(const records::v1::AttemptResult& result);

}  // namespace tocsin
