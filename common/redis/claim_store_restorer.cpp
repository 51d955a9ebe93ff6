#include "common/redis/claim_store_restorer.h"

#include <chrono>

#include "common/base/digest.h"
#include "common/base/encoding.h"
#include "common/domain/delivery/in_doubt.h"

namespace tocsin::redis {
namespace {

constexpr std::chrono::seconds kBatchTimeout{5};

SteadyTime BatchDeadline() { return std::chrono::steady_clock::now() + kBatchTimeout; }

std::string MarkName(KnownMark::Kind kind) {
  switch (kind) {  // no default: -Wswitch reports a missing row
    case KnownMark::Kind::kCancelled: return "cancelled";
    case KnownMark::Kind::kAcknowledged: return "acknowledged";
    case KnownMark::Kind::kDeclined: return "declined";
    case KnownMark::Kind::kGoalMissed: return "missed";
  }
  return "cancelled";
}

ScriptCall RestoreMarkCall(const KnownAttempt& known, const Keys& keys) {
  const KnownMark& mark = *known.mark;
  return {.script = RestoreMarkScript(),
          .keys = {keys.Alert(known.name.alert_id())},
          .args = {known.client_id, MarkName(mark.kind),
                   MarkText({.time = known.time,
                             .method = mark.method,
                             .actor_id = mark.actor_id,
                             .step = mark.step,
                             .evidence = mark.evidence}),
                   std::to_string(kMaxLife.count()), mark.person, std::to_string(mark.step),
                   mark.actor_id}};
}

}  // namespace

ScriptCall RestoreCall(const KnownAttempt& known, const Keys& keys, Micros initial_delay) {
  if (known.mark) return RestoreMarkCall(known, keys);
  const bool has_result = known.result.outcome() != records::v1::ATTEMPT_OUTCOME_UNSPECIFIED;
  return {
      .script = RestoreScript(),
      .keys = {keys.Alert(known.name.alert_id()), keys.Sid(known.result.provider_sid()),
               keys.Unreconciled(ChannelOf(known.result)), keys.Unpriced(ChannelOf(known.result))},
      .args = {FieldPrefix(known.name),
               has_result ? known.result.SerializeAsString() : std::string(),
               ProofText(ProofOf(known.result)),
               AttemptName(known.name),
               std::to_string(ToUnixMicros(known.lease_until)),
               std::to_string(ToUnixMicros(known.time)),
               std::to_string(kMaxLife.count()),
               known.result.provider_sid(),
               ProofText(Proof::kList),
               EndText(known.ended, known.delivered),
               FlagText(known.priced),
               std::to_string(initial_delay.count()),
               known.client_id,
               known.ack_code.empty() ? std::string() : keys.AckCodes(known.recipient_token),
               AckCodeText(known.name, known.ack_code, known.time + kMaxLife),
               ExpiryText(known.time + kMaxLife),
               known.name.alert_id(),
               ReachText(known.result),
               std::to_string(known.name.step()),
               known.person,
               std::to_string(known.person_count),
               std::to_string(known.goal)}};
}

Result<StoreEpoch> ClaimStoreRestorer::FindEpoch() {
  const SteadyTime deadline = BatchDeadline();
  TOCSIN_TRY(Connection connection, server_.Connect(deadline));
  const Keys& keys = server_.keys();
  TOCSIN_CHECK_OK(
      connection.Execute({"SET", keys.Epoch(), HexEncode(RandomBytes(16)), "NX"}, deadline));
  TOCSIN_TRY(const Reply epoch, connection.Execute({"GET", keys.Epoch()}, deadline));
  TOCSIN_TRY(const Reply marker, connection.Execute({"GET", keys.Restored()}, deadline));
  if (epoch.text.empty()) return Fail(Unavailable("the epoch was deleted"));
  return StoreEpoch{.id = epoch.text,
                    .restored = marker.text == server_.tracker().RestoredMarker(epoch.text)};
}

Status ClaimStoreRestorer::Restore(const StoreEpoch& epoch,
                                   std::span<const KnownAttempt> attempts) {
  const SteadyTime deadline = BatchDeadline();
  TOCSIN_TRY(Connection connection, server_.Connect(deadline));
  for (const Script* script : {&RestoreScript(), &RestoreMarkScript()})
    TOCSIN_CHECK_OK(connection.Execute({"SCRIPT", "LOAD", script->text}, deadline));
  EpochTracker::AdoptedEpoch target;  // not adopted by this process yet
  target.id = epoch.id;
  for (const KnownAttempt& known : attempts)
    Append(connection, RestoreCall(known, server_.keys(), initial_delay_), server_.keys(), target,
           CallForm::kBySha);
  TOCSIN_TRY(const std::vector<Reply> replies, connection.Execute(deadline));
  for (const Reply& reply : replies) {
    if (reply.IsError()) return Fail(ErrorOf(reply));
    if (reply.Text(0) == "epoch_changed") return Fail(Unavailable("data lost during the restore"));
  }
  return {};
}

void ClaimStoreRestorer::Adopt(const StoreEpoch& epoch, WallTime complete_since) {
  server_.tracker().Adopt(epoch.id, complete_since);
}

Status ClaimStoreRestorer::MarkRestored(const StoreEpoch& epoch) {
  const SteadyTime deadline = BatchDeadline();
  TOCSIN_TRY(Connection connection, server_.Connect(deadline));
  TOCSIN_CHECK_OK(connection.Execute(
      {"SET", server_.keys().Restored(), server_.tracker().RestoredMarker(epoch.id)}, deadline));
  return {};
}

}  // namespace tocsin::redis
