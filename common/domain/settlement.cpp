#include "common/domain/settlement.h"

#include <algorithm>
#include <string>

#include "common/base/error.h"
#include "common/base/time.h"
#include "common/domain/ids.h"
#include "common/domain/twilio_errors.h"

namespace tocsin {
namespace {

std::string NameOf(ErrorCode code) { return std::string(TraitsOf(code).name); }

v1::Event EventOf(const v1::WorkRecord& work, std::string_view what, std::int64_t time_us) {
  v1::Event event;
  event.set_event_id(EventId(work.try_(), what));
  *event.mutable_try_() = work.try_();
  event.set_client_id(work.client_id());
  event.set_class_(work.class_());
  event.set_channel(work.channel());
  event.set_time_us(time_us);
  *event.mutable_recipient() = work.recipient();
  return event;
}

// An event that tells the receipt with the given status.
v1::Event Changed(const v1::WorkRecord& work, const v1::Receipt& receipt, v1::TryStatus status,
                  std::string reason) {
  v1::Event event = EventOf(work, v1::TryStatus_Name(status), receipt.ended_us());
  v1::TryChanged& changed = *event.mutable_try_changed();
  changed.set_status(status);
  changed.set_reason(std::move(reason));
  changed.set_provider_code(receipt.provider_code());
  changed.set_http_status(receipt.http_status());
  changed.set_provider_sid(receipt.provider_sid());
  changed.set_sender(receipt.sender());
  changed.set_account_sid(receipt.account_sid());
  changed.set_segments(receipt.segments());
  return event;
}

v1::DeadRecord Dead(const v1::WorkRecord& work, const v1::Receipt& receipt,
                    const std::string& reason) {
  v1::DeadRecord dead;
  *dead.mutable_work() = work;
  dead.set_reason(reason);
  dead.set_provider_code(receipt.provider_code());
  dead.set_explanation(receipt.provider_code() == 0
                           ? std::string()
                           : std::string(Describe(receipt.provider_code()).reason));
  dead.set_time_us(receipt.ended_us());
  return dead;
}

// How the next try comes, if one may.
struct Again {
  BackoffPolicy backoff;
  bool uses_budget;
};

std::optional<Again> HowToTryAgain(const v1::Receipt& receipt, const RetryPolicy& policy) {
  switch (receipt.outcome()) {
    case v1::RECEIPT_OUTCOME_RATE_LIMITED: return Again{policy.rate, false};
    case v1::RECEIPT_OUTCOME_NOT_SENT: return Again{policy.unreachable, false};
    case v1::RECEIPT_OUTCOME_REFUSED: break;
    default: return std::nullopt;
  }
  switch (Describe(receipt.provider_code()).error_class) {
    case TwilioErrorClass::kRateLimitBefore: return Again{policy.rate, false};
    case TwilioErrorClass::kAccount:
    case TwilioErrorClass::kTransientDelivery:
    case TwilioErrorClass::kRateLimitAfter: return Again{policy.backoff, true};
    case TwilioErrorClass::kPermanentNumber:
    case TwilioErrorClass::kPermanentContent:
    case TwilioErrorClass::kOptOut:
    case TwilioErrorClass::kInDoubt:
    case TwilioErrorClass::kSenderSetup:
    case TwilioErrorClass::kGeography:
    case TwilioErrorClass::kSchedule:
    case TwilioErrorClass::kUnknown: return std::nullopt;
  }
  return std::nullopt;
}

std::optional<v1::WorkRecord> FollowUp(const v1::WorkRecord& work, const v1::Receipt& receipt,
                                       const RetryPolicy& policy) {
  const std::optional<Again> again = HowToTryAgain(receipt, policy);
  if (!again) return std::nullopt;
  v1::WorkRecord next = work;
  v1::Budget& budget = *next.mutable_budget();
  unsigned attempt = 0;
  if (again->uses_budget) {
    if (budget.used() >= budget.limit()) return std::nullopt;
    attempt = budget.used();
    budget.set_used(budget.used() + 1);
  } else {
    attempt = budget.free_waits() + 1;
    budget.set_free_waits(attempt);
  }
  const Micros wait = BackoffDelay(again->backoff, std::max(attempt, 1U), TryText(work.try_()),
                                   Micros(receipt.retry_after_us()));
  next.mutable_try_()->set_try_(work.try_().try_() + 1);
  next.set_due_time_us(receipt.ended_us() + wait.count());
  next.clear_slot();
  next.clear_acceptance();
  if (next.due_time_us() >= work.not_after_us()) return std::nullopt;
  return next;
}

v1::ConsentRecord OptOut(const v1::WorkRecord& work, const v1::Receipt& receipt,
                         std::string_view sender_address) {
  v1::ConsentRecord consent;
  *consent.mutable_recipient() = work.recipient();
  consent.set_sender(std::string(sender_address));
  consent.set_state(v1::CONSENT_STATE_OPTED_OUT);
  consent.set_observed_time_us(receipt.ended_us());
  consent.set_source("post");
  return consent;
}

// The reason of a try that failed and is not tried again.
std::string WhyLast(const v1::WorkRecord& work, const v1::Receipt& receipt,
                    const RetryPolicy& policy) {
  if (receipt.outcome() == v1::RECEIPT_OUTCOME_IN_DOUBT) return NameOf(ErrorCode::kInDoubt);
  if (!HowToTryAgain(receipt, policy)) return NameOf(ErrorCode::kTwilioApiError);
  return work.budget().used() >= work.budget().limit() ? NameOf(ErrorCode::kRetriesExhausted)
                                                       : NameOf(ErrorCode::kExpired);
}

Settlement SettleFailure(const v1::WorkRecord& work, const v1::Receipt& receipt,
                         const RetryPolicy& policy) {
  Settlement settlement;
  settlement.follow_up = FollowUp(work, receipt, policy);
  const bool last = !settlement.follow_up;
  const std::string reason = last                       ? WhyLast(work, receipt, policy)
                             : receipt.reason().empty() ? NameOf(ErrorCode::kTwilioApiError)
                                                        : receipt.reason();
  v1::Event event = Changed(work, receipt, v1::TRY_STATUS_FAILED, reason);
  event.mutable_try_changed()->set_last(last);
  if (last) {
    settlement.dead = Dead(work, receipt, reason);
  } else {
    event.mutable_try_changed()->set_next_due_us(settlement.follow_up->due_time_us());
    event.mutable_try_changed()->set_next_try(settlement.follow_up->try_().try_());
  }
  settlement.events.push_back(std::move(event));
  return settlement;
}

Settlement SettleEnd(const v1::WorkRecord& work, const v1::Receipt& receipt, v1::TryStatus status,
                     std::string reason) {
  Settlement settlement;
  v1::Event event = Changed(work, receipt, status, std::move(reason));
  event.mutable_try_changed()->set_last(true);
  settlement.events.push_back(std::move(event));
  return settlement;
}

}  // namespace

Settlement Settle(const v1::WorkRecord& work, const v1::Receipt& receipt, const RetryPolicy& policy,
                  std::string_view sender_address) {
  switch (receipt.outcome()) {
    case v1::RECEIPT_OUTCOME_ACCEPTED: {
      Settlement settlement;
      settlement.events.push_back(Changed(work, receipt, v1::TRY_STATUS_SENT, {}));
      return settlement;
    }
    case v1::RECEIPT_OUTCOME_ENDED:
      return SettleEnd(work, receipt, receipt.status(), receipt.reason());
    case v1::RECEIPT_OUTCOME_IN_DOUBT: {
      Settlement settlement = SettleFailure(work, receipt, policy);
      settlement.events.insert(settlement.events.begin(),
                               Changed(work, receipt, v1::TRY_STATUS_IN_DOUBT, receipt.reason()));
      return settlement;
    }
    case v1::RECEIPT_OUTCOME_REFUSED:
      if (Describe(receipt.provider_code()).error_class == TwilioErrorClass::kOptOut) {
        Settlement settlement =
            SettleEnd(work, receipt, v1::TRY_STATUS_SUPPRESSED, NameOf(ErrorCode::kOptedOut));
        settlement.consent = OptOut(work, receipt, sender_address);
        return settlement;
      }
      break;
    default: break;
  }
  return SettleFailure(work, receipt, policy);
}

v1::Event TryStarted(const v1::WorkRecord& work, std::int64_t began_us, std::int64_t lease_until_us,
                     std::string_view sender, std::string_view account_sid) {
  v1::Event event = EventOf(work, "SENDING:" + std::to_string(lease_until_us), began_us);
  v1::TryChanged& changed = *event.mutable_try_changed();
  changed.set_status(v1::TRY_STATUS_SENDING);
  changed.set_sender(std::string(sender));
  changed.set_account_sid(std::string(account_sid));
  changed.set_segments(work.segments());
  changed.set_lease_until_us(lease_until_us);
  return event;
}

}  // namespace tocsin
