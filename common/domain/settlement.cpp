#include "common/domain/settlement.h"

#include <algorithm>
#include <string>

#include "common/base/error.h"
#include "common/base/time.h"
#include "common/domain/doubt.h"
#include "common/domain/folding.h"
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

// For the people who read the timeline.
std::string HowSettled(const v1::Receipt& receipt) {
  if (receipt.settled_by() == kByCallback) return "a callback names the try";
  if (receipt.settled_by() == kByList) return "found in Twilio's list";
  if (receipt.settled_by() == kByAnswer) return "Twilio's answer came after all";
  return "neither a callback nor Twilio's list shows it";
}

// An event that tells the receipt with the given status.
v1::Event Changed(const v1::WorkRecord& work, const v1::Receipt& receipt, v1::TryStatus status,
                  std::string reason) {
  // Two holders may come to one status by different receipts, when the first could not be kept; and
  // what the carrier says after it took the try is another thing than the same word before.
  v1::Event event = EventOf(work,
                            v1::TryStatus_Name(status) + ":" + receipt.provider_sid() + ":" +
                                receipt.settled_by() + ":" + std::to_string(receipt.ended_us()),
                            receipt.ended_us());
  v1::TryChanged& changed = *event.mutable_try_changed();
  changed.set_status(status);
  changed.set_reason(std::move(reason));
  changed.set_provider_code(receipt.provider_code());
  changed.set_http_status(receipt.http_status());
  changed.set_provider_sid(receipt.provider_sid());
  changed.set_sender(receipt.sender());
  changed.set_account_sid(receipt.account_sid());
  changed.set_segments(receipt.segments());
  changed.set_settled_by(receipt.settled_by());
  if (!receipt.settled_by().empty()) changed.set_remark(HowSettled(receipt));
  return event;
}

v1::DeadRecord Dead(const v1::WorkRecord& work, const v1::Receipt& receipt,
                    const std::string& reason) {
  v1::DeadRecord dead;
  *dead.mutable_work() = WithoutDoubt(work);
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

// The next try, due then; nothing when the budget or the horizon does not allow it.
std::optional<v1::WorkRecord> NextTry(const v1::WorkRecord& work, bool uses_budget,
                                      std::int64_t due_us) {
  v1::WorkRecord next = WithoutDoubt(work);
  v1::Budget& budget = *next.mutable_budget();
  if (uses_budget) {
    if (budget.used() >= budget.limit()) return std::nullopt;
    budget.set_used(budget.used() + 1);
  } else {
    budget.set_free_waits(budget.free_waits() + 1);
  }
  next.mutable_try_()->set_try_(work.try_().try_() + 1);
  next.set_due_time_us(due_us);
  next.clear_slot();
  if (due_us >= work.not_after_us()) return std::nullopt;
  return next;
}

std::optional<v1::WorkRecord> FollowUp(const v1::WorkRecord& work, const v1::Receipt& receipt,
                                       const RetryPolicy& policy) {
  const std::optional<Again> again = HowToTryAgain(receipt, policy);
  if (!again) return std::nullopt;
  const unsigned attempt =
      again->uses_budget ? work.budget().used() : work.budget().free_waits() + 1;
  const Micros wait = BackoffDelay(again->backoff, std::max(attempt, 1U), TryText(work.try_()),
                                   Micros(receipt.retry_after_us()));
  return NextTry(work, again->uses_budget, receipt.ended_us() + wait.count());
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

// What stops a next try that its outcome would allow.
std::string WhyNoMore(const v1::WorkRecord& work) {
  return NameOf(work.budget().used() >= work.budget().limit() ? ErrorCode::kRetriesExhausted
                                                              : ErrorCode::kExpired);
}

// The reason of a try that failed and is not tried again.
std::string WhyLast(const v1::WorkRecord& work, const v1::Receipt& receipt,
                    const RetryPolicy& policy) {
  if (!HowToTryAgain(receipt, policy)) return NameOf(ErrorCode::kTwilioApiError);
  return WhyNoMore(work);
}

// An end without success, and the try after it or the dead letter.
Settlement Failed(const v1::WorkRecord& work, const v1::Receipt& receipt, v1::TryStatus status,
                  std::string reason, std::optional<v1::WorkRecord> follow_up) {
  Settlement settlement;
  v1::Event event = Changed(work, receipt, status, reason);
  v1::TryChanged& changed = *event.mutable_try_changed();
  changed.set_last(!follow_up);
  if (follow_up) {
    changed.set_next_due_us(follow_up->due_time_us());
    changed.set_next_try(follow_up->try_().try_());
  } else {
    settlement.dead = Dead(work, receipt, reason);
  }
  settlement.follow_up = std::move(follow_up);
  settlement.events.push_back(std::move(event));
  return settlement;
}

Settlement SettleFailure(const v1::WorkRecord& work, const v1::Receipt& receipt,
                         const RetryPolicy& policy) {
  std::optional<v1::WorkRecord> follow_up = FollowUp(work, receipt, policy);
  std::string reason = !follow_up                 ? WhyLast(work, receipt, policy)
                       : receipt.reason().empty() ? NameOf(ErrorCode::kTwilioApiError)
                                                  : receipt.reason();
  return Failed(work, receipt, v1::TRY_STATUS_FAILED, std::move(reason), std::move(follow_up));
}

// Nothing proves that the carrier took it. Sending again can reach the person twice, so it is said.
Settlement SettleUnproven(const v1::WorkRecord& work, const v1::Receipt& receipt) {
  std::optional<v1::WorkRecord> again;
  if (SendsAgain(work)) again = NextTry(work, /*uses_budget=*/true, receipt.ended_us());
  const bool sends = again.has_value();
  Settlement settlement =
      Failed(work, receipt, v1::TRY_STATUS_FAILED, NameOf(ErrorCode::kInDoubt), std::move(again));
  if (sends)
    settlement.events.back().mutable_try_changed()->mutable_remark()->append(
        "; it is sent again although the person may have it");
  return settlement;
}

// A call that reached nobody, or a machine, which has heard the alert.
Settlement SettleUnreached(const v1::WorkRecord& work, const v1::Receipt& receipt,
                           v1::TryStatus outcome, const CallRetryPolicy& policy) {
  std::optional<v1::WorkRecord> next =
      NextCall(work, outcome, FromUnixMicros(receipt.ended_us()), policy);
  std::string reason;
  if (!next)
    reason =
        NameOf(CallsAreUsedUp(work, policy) ? ErrorCode::kRetriesExhausted : ErrorCode::kExpired);
  Settlement settlement = Failed(work, receipt, outcome, std::move(reason), std::move(next));
  if (outcome == v1::TRY_STATUS_ANSWERED_MACHINE) settlement.dead.reset();
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
      if (IsUnproven(receipt)) return SettleUnproven(work, receipt);
      return SettleEnd(work, receipt, receipt.status(), receipt.reason());
    case v1::RECEIPT_OUTCOME_IN_DOUBT: {
      Settlement settlement;
      settlement.events.push_back(
          Changed(work, receipt, v1::TRY_STATUS_IN_DOUBT, receipt.reason()));
      settlement.follow_up = FirstLook(work, receipt, policy.doubt);
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

bool MayTryAgain(const v1::WebhookRecord& callback) {
  const std::optional<Fact> fact = FactOf(callback);
  if (!fact) return false;
  if (UnreachedBy(*fact)) return true;
  if (fact->status != v1::TRY_STATUS_UNDELIVERED && fact->status != v1::TRY_STATUS_FAILED)
    return false;
  const TwilioErrorClass error_class = Describe(callback.provider_code()).error_class;
  return error_class == TwilioErrorClass::kTransientDelivery ||
         error_class == TwilioErrorClass::kRateLimitAfter;
}

Settlement SettleUndelivered(const v1::WorkRecord& work, const v1::WebhookRecord& callback,
                             const RetryPolicy& policy) {
  v1::Receipt receipt = ProvenByCallback(callback);
  receipt.clear_settled_by();
  receipt.set_provider_code(callback.provider_code());
  receipt.set_segments(callback.segments());
  receipt.set_sender(work.sender());
  const Fact fact = *FactOf(callback);
  if (const auto outcome = UnreachedBy(fact))
    return SettleUnreached(work, receipt, *outcome, policy.calls);
  const Micros wait = BackoffDelay(policy.delivery, std::max(work.budget().used(), 1U),
                                   TryText(work.try_()) + ":delivery", Micros(0));
  std::optional<v1::WorkRecord> next =
      NextTry(work, /*uses_budget=*/true, callback.received_time_us() + wait.count());
  return Failed(work, receipt, fact.status,
                next ? NameOf(ErrorCode::kTwilioApiError) : WhyNoMore(work), std::move(next));
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
