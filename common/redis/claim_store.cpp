#include "common/redis/claim_store.h"

#include <algorithm>
#include <chrono>

#include "common/base/failpoint.h"
#include "common/domain/doubt.h"
#include "common/domain/folding.h"
#include "common/redis/claim_memory.h"

namespace tocsin::redis {
namespace {

using State = Claim::State;

std::string Flag(bool on) { return on ? "1" : "0"; }

std::string LifeOf(WallTime not_after) {
  const auto end = std::chrono::ceil<std::chrono::milliseconds>(not_after + kLifeAfterHorizon);
  return std::to_string(end.time_since_epoch().count());
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
  TOCSIN_TRY(const Reply reply,
             server_.Run({.script = TakeScript(),
                          .keys = {server_.keys().Alert(request.name.alert_id()),
                                   server_.keys().Twins(request.twins)},
                          .args = {FieldsOf(request.name), std::to_string(request.name.step()),
                                   request.client_id, request.owner,
                                   std::to_string(request.lease.count()), request.work, end,
                                   TextOf(request.end ? ProofOf(*request.end) : Proof::kCertain),
                                   StoppedReceipt(TraitsOf(ErrorCode::kCancelled).name),
                                   StoppedReceipt("ACKNOWLEDGED"), LifeOf(request.not_after),
                                   FullName(request.name)}}));
  Result<Claim> claim = ReadClaim(reply);
  if (TOCSIN_WITHOUT("claim") && claim && !request.end) {
    claim->state = State::kGranted;
    claim->fence =
        std::max<std::uint64_t>(claim->fence, 1);  // granted by the store, not by the log
    claim->began = std::chrono::time_point_cast<Micros>(std::chrono::system_clock::now());
  }
  // A release of the holding before comes a second time, and is carried out against this one.
  if (TOCSIN_WITHOUT("fence") && claim && claim->fence > 1 && claim->state == State::kGranted)
    TOCSIN_CHECK_OK(Release(request.name, claim->fence));
  return claim;
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
                            server_.keys().Sid(receipt.provider_sid()),
                            server_.keys().Open(ChannelOf(receipt))},
                   .args = {FieldsOf(name), std::to_string(fence), receipt.SerializeAsString(),
                            Flag(accepted), TextOf(ProofOf(receipt)), FullName(name),
                            std::to_string(kLongestLife.count()), TextOf(Proof::kDoubt),
                            Flag(accepted && IsEnd(receipt.status())),
                            std::to_string(first_look_.count()), server_.keys().AlertPrefix()}}));
  if (reply.Text(0) == "sid")
    return Fail(ErrorCode::kCorrupt, "the SID of " + FullName(name) + " belongs to " +
                                         std::string(reply.Text(2)) + " already");
  return ParseReceipt(reply.Text(2));
}

Result<std::optional<v1::Receipt>> ClaimStore::Settle(const DoubtRequest& request) {
  const Keys& keys = server_.keys();
  const v1::Channel channel =
      request.found.empty() ? v1::CHANNEL_SMS : ChannelOf(request.found.front());
  ScriptCall call{
      .script = SettleScript(),
      .keys = {keys.Alert(request.name.alert_id()), keys.Twins(request.twins), keys.Open(channel)},
      .args = {FieldsOf(request.name), FullName(request.name), keys.AlertPrefix(), keys.SidPrefix(),
               LifeOf(request.not_after),
               request.unproven ? request.unproven->SerializeAsString() : std::string(),
               TextOf(Proof::kUnproven), TextOf(Proof::kList), TextOf(Proof::kDoubt),
               std::to_string(first_look_.count())}};
  for (const v1::Receipt& found : request.found) {
    call.args.push_back(found.provider_sid());
    call.args.push_back(found.SerializeAsString());
  }
  TOCSIN_TRY(const Reply reply, server_.Run(call));
  if (reply.Text(0) == "open") return std::optional<v1::Receipt>();
  TOCSIN_TRY(v1::Receipt receipt, ParseReceipt(reply.Text(2)));
  return std::optional(std::move(receipt));
}

Status ClaimStore::Learn(const KnownTry& known) {
  TOCSIN_CHECK_OK(server_.Run(RestoreCall(known, server_.keys(), first_look_)));
  return {};
}

Result<std::optional<std::string>> ClaimStore::Work(const v1::TryName& name) {
  TOCSIN_TRY(const Reply reply, server_.Run({.script = WorkScript(),
                                             .keys = {server_.keys().Alert(name.alert_id())},
                                             .args = {std::to_string(name.step())}}));
  v1::WorkRecord work;
  const std::string_view kept = reply.Text(2);
  if (kept.empty() || !work.ParseFromArray(kept.data(), static_cast<int>(kept.size())) ||
      work.try_().try_() != name.try_())
    return std::optional<std::string>();
  return std::optional(std::string(kept));
}

}  // namespace tocsin::redis
