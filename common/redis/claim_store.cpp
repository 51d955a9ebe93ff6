#include "common/redis/claim_store.h"

#include <algorithm>
#include <chrono>

namespace tocsin::redis {
namespace {

using State = Claim::State;

constexpr std::chrono::hours kLifeAfterHorizon{48};
// The longest horizon and what follows it: for the receipt of an alert whose hash Redis never had.
constexpr std::chrono::milliseconds kLongestLife = std::chrono::days(7) + kLifeAfterHorizon;

std::string Flag(bool on) { return on ? "1" : "0"; }

std::string LifeOf(WallTime not_after) {
  const auto end = std::chrono::ceil<std::chrono::milliseconds>(not_after + kLifeAfterHorizon);
  return std::to_string(end.time_since_epoch().count());
}

// Whether late proof that Twilio has the message replaces this receipt: where it is certain that
// nothing was taken, or that a rule forbade the POST, such proof is an error of somebody's and
// changes nothing.
bool YieldsToAccepted(const v1::Receipt& receipt) {
  switch (receipt.outcome()) {
    case v1::RECEIPT_OUTCOME_IN_DOUBT:
    case v1::RECEIPT_OUTCOME_NOT_SENT: return true;
    case v1::RECEIPT_OUTCOME_ENDED: return receipt.reason() == TraitsOf(ErrorCode::kInDoubt).name;
    default: return false;
  }
}

// The end of a try whose alert bore a mark before it began. Its time is the first taker's; kept
// once, it is the same for every repetition.
std::string StoppedReceipt(std::string_view reason) {
  v1::Receipt receipt;
  receipt.set_outcome(v1::RECEIPT_OUTCOME_ENDED);
  receipt.set_status(v1::TRY_STATUS_CANCELLED);
  receipt.set_reason(std::string(reason));
  receipt.set_ended_us(
      ToUnixMicros(std::chrono::time_point_cast<Micros>(std::chrono::system_clock::now())));
  return receipt.SerializeAsString();
}

Result<v1::Receipt> ParseReceipt(std::string_view bytes) {
  v1::Receipt receipt;
  if (!receipt.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return Fail(ErrorCode::kCorrupt, "a receipt kept in Redis cannot be read");
  return receipt;
}

Result<Claim> ReadClaim(const Reply& reply) {
  const std::string_view word = reply.Text(0);
  Claim claim;
  if (word == "done" || word == "stopped") {
    claim.state = word == "done" ? State::kDone : State::kStopped;
    TOCSIN_TRY(claim.receipt, ParseReceipt(reply.Text(2)));
    return claim;
  }
  claim.state = word == "granted" ? State::kGranted
                : word == "busy"  ? State::kBusy
                                  : State::kLapsed;
  claim.fence = static_cast<std::uint64_t>(reply.Number(2));
  claim.began = FromUnixMicros(reply.Number(3));
  claim.lease_left = Micros(reply.Number(4));
  return claim;
}

}  // namespace

Result<Claim> ClaimStore::Take(const ClaimRequest& request) {
  const std::string end = request.end ? request.end->SerializeAsString() : std::string();
  TOCSIN_TRY(
      const Reply reply,
      server_.Run({.script = TakeScript(),
                   .keys = {server_.keys().Alert(request.name.alert_id())},
                   .args = {FieldsOf(request.name), std::to_string(request.name.step()),
                            request.client_id, request.owner, std::to_string(request.lease.count()),
                            request.work, end, Flag(request.end && YieldsToAccepted(*request.end)),
                            StoppedReceipt(TraitsOf(ErrorCode::kCancelled).name),
                            StoppedReceipt("ACKNOWLEDGED"), LifeOf(request.not_after)}}));
  return ReadClaim(reply);
}

Status ClaimStore::Release(const v1::TryName& name, std::uint64_t fence) {
  TOCSIN_CHECK_OK(server_.Run({.script = ReleaseScript(),
                               .keys = {server_.keys().Alert(name.alert_id())},
                               .args = {FieldsOf(name), std::to_string(fence)}}));
  return {};
}

Result<v1::Receipt> ClaimStore::Keep(const v1::TryName& name, std::uint64_t fence,
                                     const v1::Receipt& receipt) {
  const bool accepted = receipt.outcome() == v1::RECEIPT_OUTCOME_ACCEPTED;
  if (accepted && receipt.provider_sid().empty())
    return Fail(ErrorCode::kInvalidArgument, "an accepted try without a SID: " + FullName(name));
  TOCSIN_TRY(
      const Reply reply,
      server_.Run({.script = KeepScript(),
                   .keys = {server_.keys().Alert(name.alert_id()),
                            server_.keys().Sid(receipt.provider_sid())},
                   .args = {FieldsOf(name), std::to_string(fence), receipt.SerializeAsString(),
                            Flag(accepted), Flag(YieldsToAccepted(receipt)), FullName(name),
                            std::to_string(kLongestLife.count())}}));
  if (reply.Text(0) == "sid")
    return Fail(ErrorCode::kCorrupt, "the SID of " + FullName(name) + " belongs to " +
                                         std::string(reply.Text(2)) + " already");
  return ParseReceipt(reply.Text(2));
}

}  // namespace tocsin::redis
