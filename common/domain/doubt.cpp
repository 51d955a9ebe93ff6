#include "common/domain/doubt.h"

#include <algorithm>

#include "common/base/error.h"
#include "common/domain/folding.h"

namespace tocsin {
namespace {

constexpr unsigned kMostDoublings = 20;

Micros LimitOf(const v1::WorkRecord& work, const DoubtSchedule& schedule) {
  return work.class_() == v1::ALERT_CLASS_EMERGENCY ? schedule.emergency_limit
                                                    : schedule.other_limit;
}

std::string InDoubt() { return std::string(TraitsOf(ErrorCode::kInDoubt).name); }

// Looks stand at 1, 3, 7, 15 … times the first distance after the begin of the doubt.
void SetDue(v1::WorkRecord& look, const DoubtSchedule& schedule) {
  const unsigned doublings = std::min(look.doubt().looks() + 1, kMostDoublings);
  const Micros after = schedule.first_look * ((std::int64_t{1} << doublings) - 1);
  look.set_due_time_us(look.doubt().began_us() + std::min(after, LimitOf(look, schedule)).count());
}

v1::Receipt About(const v1::WorkRecord& look, std::string_view settled_by) {
  v1::Receipt receipt;
  receipt.set_began_us(look.doubt().post_began_us());
  receipt.set_sender(look.doubt().sender());
  receipt.set_account_sid(look.doubt().account_sid());
  receipt.set_settled_by(std::string(settled_by));
  return receipt;
}

}  // namespace

v1::WorkRecord FirstLook(const v1::WorkRecord& work, const v1::Receipt& doubt,
                         const DoubtSchedule& schedule) {
  v1::WorkRecord look = work;
  look.set_kind(v1::WORK_KIND_SETTLE);
  look.clear_slot();
  look.clear_acceptance();
  v1::Doubt& said = *look.mutable_doubt();
  said.set_began_us(doubt.ended_us());
  said.set_post_began_us(doubt.began_us());
  said.set_account_sid(doubt.account_sid());
  said.set_sender(doubt.sender());
  said.set_looks(0);
  said.set_reason(doubt.reason());
  SetDue(look, schedule);
  return look;
}

v1::WorkRecord NextLook(const v1::WorkRecord& look, const DoubtSchedule& schedule) {
  v1::WorkRecord next = look;
  next.mutable_doubt()->set_looks(look.doubt().looks() + 1);
  SetDue(next, schedule);
  return next;
}

WallTime PolicyTime(const v1::WorkRecord& look, const DoubtSchedule& schedule) {
  return FromUnixMicros(look.doubt().began_us()) + LimitOf(look, schedule);
}

bool SendsAgain(const v1::WorkRecord& work) {
  switch (work.doubt_policy()) {
    case v1::DOUBT_POLICY_SEND_AGAIN: return true;
    case v1::DOUBT_POLICY_FAIL: return false;
    default: return work.class_() == v1::ALERT_CLASS_EMERGENCY;
  }
}

std::string TwinsOf(const v1::WorkRecord& work) {
  if (work.channel() == v1::CHANNEL_VOICE)
    return work.recipient().token() + "called by " + work.sender();
  return work.recipient().token() + work.body_digest();
}

bool WithinDoubt(const v1::Doubt& doubt, WallTime created) {
  return created >= FromUnixMicros(doubt.post_began_us()) - kCarrierSkew &&
         created <= FromUnixMicros(doubt.began_us()) + kCarrierSkew;
}

v1::Receipt FoundInList(const v1::WorkRecord& look, const std::string& sid, WallTime created) {
  v1::Receipt receipt = About(look, kByList);
  receipt.set_outcome(v1::RECEIPT_OUTCOME_ACCEPTED);
  receipt.set_provider_sid(sid);
  receipt.set_ended_us(ToUnixMicros(created));
  return receipt;
}

v1::Receipt EndedByPolicy(const v1::WorkRecord& look, WallTime policy_time) {
  v1::Receipt receipt = About(look, kByPolicy);
  receipt.set_outcome(v1::RECEIPT_OUTCOME_ENDED);
  receipt.set_status(v1::TRY_STATUS_FAILED);
  receipt.set_reason(InDoubt());
  receipt.set_ended_us(ToUnixMicros(policy_time));
  return receipt;
}

v1::Receipt ProvenByCallback(const v1::WebhookRecord& webhook) {
  v1::Receipt receipt;
  receipt.set_outcome(v1::RECEIPT_OUTCOME_ACCEPTED);
  receipt.set_provider_sid(webhook.provider_sid());
  receipt.set_account_sid(webhook.account_sid());
  receipt.set_ended_us(webhook.received_time_us());
  receipt.set_settled_by(std::string(kByCallback));
  if (const std::optional<Fact> fact = FactOf(webhook)) receipt.set_status(fact->status);
  return receipt;
}

bool IsUnproven(const v1::Receipt& receipt) {
  return receipt.outcome() == v1::RECEIPT_OUTCOME_ENDED && receipt.reason() == InDoubt();
}

v1::WorkRecord WithoutDoubt(v1::WorkRecord work) {
  work.set_kind(v1::WORK_KIND_TRY);
  work.clear_doubt();
  work.clear_acceptance();
  return work;
}

Proof ProofOf(const v1::Receipt& receipt) {
  switch (receipt.outcome()) {
    case v1::RECEIPT_OUTCOME_IN_DOUBT: return Proof::kDoubt;
    case v1::RECEIPT_OUTCOME_NOT_SENT: return Proof::kUnproven;
    case v1::RECEIPT_OUTCOME_ENDED: return IsUnproven(receipt) ? Proof::kUnproven : Proof::kCertain;
    case v1::RECEIPT_OUTCOME_ACCEPTED:
      if (receipt.settled_by() == kByList) return Proof::kList;
      return receipt.settled_by() == kByCallback ? Proof::kCallback : Proof::kAnswer;
    default: return Proof::kCertain;
  }
}

}  // namespace tocsin
