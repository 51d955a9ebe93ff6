#include "common/delivery/delivery_result.h"

namespace tocsin {

std::string_view NameOf(DeliveryResult result) {
  switch (result) {  // no default: -Wswitch reports a missing row
    case DeliveryResult::kSent: return "sent";
    case DeliveryResult::kFailed: return "failed";
    case DeliveryResult::kInDoubt: return "in_doubt";
    case DeliveryResult::kNotAttempted: return "not_attempted";
    case DeliveryResult::kRescheduled: return "rescheduled";
    case DeliveryResult::kUnparsable: return "unparsable";
    case DeliveryResult::kLookupPending: return "lookup_pending";
    case DeliveryResult::kResolvedByCallback: return "resolved_by_callback";
    case DeliveryResult::kResolvedByList: return "resolved_by_list";
    case DeliveryResult::kResolvedByPolicy: return "resolved_by_policy";
    case DeliveryResult::kResolvedByListAbsence: return "resolved_by_list_absence";
    case DeliveryResult::kCallbackHandled: return "callback_handled";
    case DeliveryResult::kGoalReached: return "goal_reached";
    case DeliveryResult::kGoalMissed: return "goal_missed";
  }
  return "unknown";
}

DeliveryResult DeliveryResultOf(const records::v1::AttemptResult& result) {
  switch (result.resolved_by()) {
    case v1::RESOLVED_BY_CALLBACK: return DeliveryResult::kResolvedByCallback;
    case v1::RESOLVED_BY_LIST: return DeliveryResult::kResolvedByList;
    case v1::RESOLVED_BY_POLICY: return DeliveryResult::kResolvedByPolicy;
    case v1::RESOLVED_BY_LIST_ABSENCE: return DeliveryResult::kResolvedByListAbsence;
    default: break;
  }
  switch (result.outcome()) {
    case records::v1::ATTEMPT_OUTCOME_ACCEPTED: return DeliveryResult::kSent;
    case records::v1::ATTEMPT_OUTCOME_IN_DOUBT: return DeliveryResult::kInDoubt;
    case records::v1::ATTEMPT_OUTCOME_NOT_ATTEMPTED: return DeliveryResult::kNotAttempted;
    default: return DeliveryResult::kFailed;
  }
}

}  // namespace tocsin
