#include "common/redis/claim_store_restorer.h"

#include <charconv>
#include <chrono>
#include <memory>
#include <optional>
#include <string_view>

#include "common/base/digest.h"
#include "common/base/encoding.h"
#include "common/domain/delivery/in_doubt.h"

namespace tocsin::redis {
namespace {

constexpr std::chrono::seconds kBatchTimeout{5};

SteadyTime BatchDeadline() { return std::chrono::steady_clock::now() + kBatchTimeout; }

Error LostDuringRestore() { return Unavailable("data lost during the restore"); }

// Not adopted by this process yet.
std::unique_ptr<EpochTracker::AdoptedEpoch> TargetOf(const StoreEpoch& epoch) {
  auto target = std::make_unique<EpochTracker::AdoptedEpoch>();
  target->id = epoch.id;
  return target;
}

// The reply of a script in this epoch.
Result<Reply> Execute(Connection& connection, const Keys& keys, const StoreEpoch& epoch,
                      const ScriptCall& call, SteadyTime deadline) {
  Append(connection, call, keys, *TargetOf(epoch), CallForm::kByText);
  TOCSIN_TRY(std::vector<Reply> replies, connection.Execute(deadline));
  if (replies.front().kind != Reply::Kind::kList) return Fail(ErrorOf(replies.front()));
  if (replies.front().Text(0) == "epoch_changed") return Fail(LostDuringRestore());
  return std::move(replies.front());
}

// What precedes the marker in the value of Keys::RecentRestored().
std::string RecentPrefix(WallTime since) { return std::to_string(ToUnixMicros(since)) + ' '; }

// Nothing if the mark has another marker.
std::optional<WallTime> ParseRecentMark(std::string_view mark, std::string_view marker) {
  std::int64_t since_us = 0;
  const auto [end, error] = std::from_chars(mark.data(), mark.data() + mark.size(), since_us);
  if (error != std::errc()) return std::nullopt;
  mark.remove_prefix(static_cast<std::size_t>(end - mark.data()));
  if (!mark.starts_with(' ') || mark.substr(1) != marker) return std::nullopt;
  return FromUnixMicros(since_us);
}

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
               std::to_string(known.goal),
               known.undelivered_time ? std::to_string(ToUnixMicros(*known.undelivered_time))
                                      : std::string()}};
}

ClaimStoreRestorer::ClaimStoreRestorer(Server& server, Micros initial_delay)
    : server_(server), initial_delay_(initial_delay), token_(HexEncode(RandomBytes(16))) {}

Result<StoreEpoch> ClaimStoreRestorer::FindEpoch() {
  const SteadyTime deadline = BatchDeadline();
  TOCSIN_TRY(Connection connection, server_.Connect(deadline));
  const Keys& keys = server_.keys();
  TOCSIN_CHECK_OK(
      connection.Execute({"SET", keys.Epoch(), HexEncode(RandomBytes(16)), "NX"}, deadline));
  TOCSIN_TRY(const Reply epoch, connection.Execute({"GET", keys.Epoch()}, deadline));
  TOCSIN_TRY(const Reply recent, connection.Execute({"GET", keys.RecentRestored()}, deadline));
  TOCSIN_TRY(const Reply restored, connection.Execute({"GET", keys.Restored()}, deadline));
  if (epoch.text.empty()) return Fail(Unavailable("the epoch was deleted"));
  const std::string marker = server_.tracker().RestoredMarker(epoch.text);
  return StoreEpoch{.id = epoch.text,
                    .restored = restored.text == marker,
                    .recent_since = ParseRecentMark(recent.text, marker)};
}

Result<bool> ClaimStoreRestorer::HoldLease(const StoreEpoch& epoch) {
  const std::chrono::milliseconds life = kRestoreLease;
  const ScriptCall call{.script = HoldRestoreLeaseScript(),
                        .keys = {server_.keys().RestoreLease()},
                        .args = {token_, std::to_string(life.count())}};
  const SteadyTime deadline = BatchDeadline();
  TOCSIN_TRY(Connection connection, server_.Connect(deadline));
  TOCSIN_TRY(const Reply reply, Execute(connection, server_.keys(), epoch, call, deadline));
  return reply.Text(0) == "held";
}

Status ClaimStoreRestorer::ReleaseLease(const StoreEpoch& epoch) {
  const ScriptCall call{.script = ReleaseRestoreLeaseScript(),
                        .keys = {server_.keys().RestoreLease()},
                        .args = {token_}};
  const SteadyTime deadline = BatchDeadline();
  TOCSIN_TRY(Connection connection, server_.Connect(deadline));
  TOCSIN_CHECK_OK(Execute(connection, server_.keys(), epoch, call, deadline));
  return {};
}

Status ClaimStoreRestorer::Restore(const StoreEpoch& epoch,
                                   std::span<const KnownAttempt> attempts) {
  const SteadyTime deadline = BatchDeadline();
  TOCSIN_TRY(Connection connection, server_.Connect(deadline));
  for (const Script* script : {&RestoreScript(), &RestoreMarkScript()})
    TOCSIN_CHECK_OK(connection.Execute({"SCRIPT", "LOAD", script->text}, deadline));
  const auto target = TargetOf(epoch);
  for (const KnownAttempt& known : attempts)
    Append(connection, RestoreCall(known, server_.keys(), initial_delay_), server_.keys(), *target,
           CallForm::kBySha);
  TOCSIN_TRY(const std::vector<Reply> replies, connection.Execute(deadline));
  for (const Reply& reply : replies) {
    if (reply.IsError()) return Fail(ErrorOf(reply));
    if (reply.Text(0) == "epoch_changed") return Fail(LostDuringRestore());
  }
  return {};
}

void ClaimStoreRestorer::Adopt(const StoreEpoch& epoch, WallTime complete_since) {
  server_.tracker().Adopt(epoch.id, complete_since);
}

void ClaimStoreRestorer::SetCompleteSince(WallTime complete_since) {
  server_.tracker().SetCompleteSince(complete_since);
}

Status ClaimStoreRestorer::MarkRecentRestored(const StoreEpoch& epoch, WallTime since) {
  return Mark(epoch, server_.keys().RecentRestored(), RecentPrefix(since));
}

Status ClaimStoreRestorer::MarkRestored(const StoreEpoch& epoch) {
  return Mark(epoch, server_.keys().Restored(), {});
}

// The marker names the Redis of this connection. If that restarted, OnConnect() has replaced the
// epoch, unless another process has restored it since.
Status ClaimStoreRestorer::Mark(const StoreEpoch& epoch, std::string key,
                                const std::string& prefix) {
  const SteadyTime deadline = BatchDeadline();
  TOCSIN_TRY(Connection connection, server_.Connect(deadline));
  const ScriptCall call{.script = MarkRestoredScript(),
                        .keys = {std::move(key)},
                        .args = {prefix + server_.tracker().RestoredMarker(epoch.id)}};
  TOCSIN_CHECK_OK(Execute(connection, server_.keys(), epoch, call, deadline));
  return {};
}

}  // namespace tocsin::redis
