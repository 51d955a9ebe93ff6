#include "common/domain/known_try.h"

#include <algorithm>

#include "common/base/error.h"
#include "common/domain/doubt.h"
#include "common/domain/folding.h"

namespace tocsin {
namespace {

// The outcome that a failure tells of: what follows from it is the same as from the receipt that
// was lost.
v1::ReceiptOutcome OutcomeOf(const v1::TryChanged& changed) {
  if (changed.reason() == TraitsOf(ErrorCode::kInDoubt).name) return v1::RECEIPT_OUTCOME_ENDED;
  if (changed.reason() == TraitsOf(ErrorCode::kRateLimitExceeded).name)
    return v1::RECEIPT_OUTCOME_RATE_LIMITED;
  return changed.http_status() == 0 && changed.provider_code() == 0 ? v1::RECEIPT_OUTCOME_NOT_SENT
                                                                    : v1::RECEIPT_OUTCOME_REFUSED;
}

v1::ReceiptOutcome OutcomeOf(v1::TryStatus status, const v1::TryChanged& changed) {
  if (!changed.provider_sid().empty()) return v1::RECEIPT_OUTCOME_ACCEPTED;
  switch (status) {
    case v1::TRY_STATUS_IN_DOUBT: return v1::RECEIPT_OUTCOME_IN_DOUBT;
    case v1::TRY_STATUS_FAILED: return OutcomeOf(changed);
    case v1::TRY_STATUS_SUPPRESSED:
      return changed.provider_code() != 0 ? v1::RECEIPT_OUTCOME_REFUSED : v1::RECEIPT_OUTCOME_ENDED;
    case v1::TRY_STATUS_EXPIRED:
    case v1::TRY_STATUS_CANCELLED:
    case v1::TRY_STATUS_REJECTED: return v1::RECEIPT_OUTCOME_ENDED;
    default: return v1::RECEIPT_OUTCOME_UNSPECIFIED;
  }
}

}  // namespace

std::optional<KnownTry> KnownTryOf(const v1::Event& event) {
  KnownTry known{.name = event.try_(),
                 .client_id = event.client_id(),
                 .time = FromUnixMicros(event.time_us()),
                 .lease_until = {},
                 .receipt = {}};
  if (event.has_cancel_requested()) {
    known.mark = KnownMark{.acknowledged = false, .by = {}};
    return known;
  }
  if (event.has_acknowledged()) {
    known.mark = KnownMark{.acknowledged = true, .by = event.acknowledged().by()};
    return known;
  }
  if (event.try_().try_() == 0) return std::nullopt;
  if (event.fact_case() == v1::Event::kTryPriced) {
    known.priced = true;
    known.receipt.set_provider_sid(event.try_priced().provider_sid());
    return known;
  }
  if (event.fact_case() != v1::Event::kTryChanged) return std::nullopt;
  const v1::TryChanged& changed = event.try_changed();
  if (changed.status() == v1::TRY_STATUS_SENDING) {
    known.lease_until = FromUnixMicros(changed.lease_until_us());
    return known;
  }
  v1::Receipt& receipt = known.receipt;
  receipt.set_outcome(OutcomeOf(changed.status(), changed));
  if (receipt.outcome() == v1::RECEIPT_OUTCOME_UNSPECIFIED) return std::nullopt;
  if (receipt.outcome() == v1::RECEIPT_OUTCOME_ENDED) receipt.set_status(changed.status());
  receipt.set_provider_sid(changed.provider_sid());
  receipt.set_provider_code(changed.provider_code());
  receipt.set_http_status(changed.http_status());
  // Whatever made the wait as long as it was: it is to be the same again.
  if (changed.next_due_us() != 0)
    receipt.set_retry_after_us(changed.next_due_us() - event.time_us());
  receipt.set_began_us(event.time_us());
  receipt.set_ended_us(event.time_us());
  receipt.set_sender(changed.sender());
  receipt.set_account_sid(changed.account_sid());
  receipt.set_reason(changed.reason());
  receipt.set_segments(changed.segments());
  receipt.set_settled_by(changed.settled_by());
  known.ended = receipt.outcome() == v1::RECEIPT_OUTCOME_ACCEPTED && IsEnd(changed.status());
  return known;
}

std::optional<KnownTry> KnownTryOf(const v1::WebhookRecord& callback) {
  if (!callback.has_try_() || callback.provider_sid().empty() || !FactOf(callback))
    return std::nullopt;
  return KnownTry{.name = callback.try_(),
                  .client_id = {},
                  .time = FromUnixMicros(callback.received_time_us()),
                  .lease_until = {},
                  .receipt = ProvenByCallback(callback),
                  .ended = IsEnd(FactOf(callback)->status)};
}

WallTime KnownFrom(const v1::WorkRecord& work) {
  const std::int64_t before = work.previous_step_us();
  return FromUnixMicros(before == 0 ? work.first_published_us()
                                    : std::min(before, work.first_published_us()));
}

}  // namespace tocsin
