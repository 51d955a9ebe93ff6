#include "common/domain/log_claim.h"

#include "common/base/error.h"
#include "common/domain/clearance.h"
#include "common/domain/doubt.h"
#include "common/domain/ids.h"
#include "common/domain/known_try.h"

namespace tocsin {

bool MayBeUnknownToStore(const v1::Event& event) {
  if (event.has_cancel_requested() || event.has_acknowledged()) return true;
  if (event.class_() != v1::ALERT_CLASS_EMERGENCY || !event.has_try_changed()) return false;
  return event.try_changed().status() != v1::TRY_STATUS_SENDING ||
         event.try_changed().remark() == kBegunByLog;
}

void LogClaim::Apply(const v1::Event& event, const v1::Position& position) {
  if (read_ || event.try_().alert_id() != name_.alert_id()) return;
  if (position.offset() == ours_.offset() && position.partition() == ours_.partition()) {
    read_ = true;
    return;
  }
  if (event.has_cancel_requested()) return Stop(event, TraitsOf(ErrorCode::kCancelled).name);
  if (event.has_acknowledged()) return Stop(event, "ACKNOWLEDGED");
  if (TryText(event.try_()) != TryText(name_)) return;
  const std::optional<KnownTry> known = KnownTryOf(event);
  if (!known || known->mark) return;
  if (known->receipt.outcome() == v1::RECEIPT_OUTCOME_UNSPECIFIED) {
    const bool counts = begins_ == Begins::kAll || event.try_changed().remark() == kBegunByLog;
    if (event.has_try_changed() && counts && !begun_) {
      begun_ = true;
      began_ = known->time;
      lease_until_ = known->lease_until;
    }
    return;
  }
  const bool first = receipt_.outcome() == v1::RECEIPT_OUTCOME_UNSPECIFIED || stopped_;
  if (first ||
      (ProofOf(receipt_) != Proof::kCertain && ProofOf(known->receipt) > ProofOf(receipt_)))
    receipt_ = known->receipt;
  stopped_ = false;  // what was begun outranks a mark
}

void LogClaim::Stop(const v1::Event& event, std::string_view reason) {
  if (begun_ || receipt_.outcome() != v1::RECEIPT_OUTCOME_UNSPECIFIED) return;
  receipt_ = EndedBeforePost(v1::TRY_STATUS_CANCELLED, ErrorCode::kCancelled,
                             FromUnixMicros(event.time_us()));
  receipt_.set_reason(std::string(reason));
  stopped_ = true;
}

LogClaim::Verdict LogClaim::verdict() const {
  if (!read_) return Verdict::kUnread;
  if (stopped_) return Verdict::kStopped;
  if (receipt_.outcome() != v1::RECEIPT_OUTCOME_UNSPECIFIED) return Verdict::kDone;
  return begun_ ? Verdict::kBegun : Verdict::kOurs;
}

}  // namespace tocsin
