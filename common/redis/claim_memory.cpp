#include "common/redis/claim_memory.h"

#include <chrono>

#include "common/base/digest.h"
#include "common/base/encoding.h"
#include "common/domain/doubt.h"

namespace tocsin::redis {
namespace {

constexpr std::chrono::seconds kBatchLimit{5};

std::string Flag(bool on) { return on ? "1" : "0"; }

SteadyTime Soon() { return std::chrono::steady_clock::now() + kBatchLimit; }

}  // namespace

ScriptCall RestoreCall(const KnownTry& known, const Keys& keys, Micros first_look) {
  if (known.mark)
    return {.script = RemarkScript(),
            .keys = {keys.Alert(known.name.alert_id())},
            .args = {known.client_id, known.mark->acknowledged ? "acknowledged" : "cancelled",
                     MarkText(known.time, known.mark->by), std::to_string(kLongestLife.count())}};
  const bool begun = known.receipt.outcome() == v1::RECEIPT_OUTCOME_UNSPECIFIED;
  return {.script = RestoreScript(),
          .keys = {keys.Alert(known.name.alert_id()), keys.Sid(known.receipt.provider_sid()),
                   keys.Open(ChannelOf(known.receipt))},
          .args = {FieldsOf(known.name), begun ? std::string() : known.receipt.SerializeAsString(),
                   TextOf(ProofOf(known.receipt)), FullName(known.name),
                   std::to_string(ToUnixMicros(known.lease_until)),
                   std::to_string(ToUnixMicros(known.time)), std::to_string(kLongestLife.count()),
                   known.receipt.provider_sid(), TextOf(Proof::kList), Flag(known.ended),
                   Flag(known.priced), std::to_string(first_look.count()), known.client_id}};
}

Result<StoreMemory> ClaimStoreMemory::Find() {
  const SteadyTime deadline = Soon();
  TOCSIN_TRY(Connection connection, server_.Connect(deadline));
  const Keys& keys = server_.keys();
  TOCSIN_CHECK_OK(
      connection.Ask({"SET", keys.Epoch(), HexEncode(RandomBytes(16)), "NX"}, deadline));
  TOCSIN_TRY(const Reply standing, connection.Ask({"GET", keys.Epoch()}, deadline));
  TOCSIN_TRY(const Reply whole, connection.Ask({"GET", keys.Whole()}, deadline));
  if (standing.text.empty()) return Fail(Unavailable("its epoch vanished while it was read"));
  return StoreMemory{.epoch = standing.text,
                     .whole = whole.text == server_.memory().WholeMark(standing.text)};
}

Status ClaimStoreMemory::Restore(const StoreMemory& memory, std::span<const KnownTry> tries) {
  const SteadyTime deadline = Soon();
  TOCSIN_TRY(Connection connection, server_.Connect(deadline));
  for (const Script* script : {&RestoreScript(), &RemarkScript()})
    TOCSIN_CHECK_OK(connection.Ask({"SCRIPT", "LOAD", script->text}, deadline));
  Memory::Held held;
  held.epoch = memory.epoch;
  for (const KnownTry& known : tries)
    Append(connection, RestoreCall(known, server_.keys(), first_look_), server_.keys(), held,
           CallForm::kBySha);
  TOCSIN_TRY(const std::vector<Reply> replies, connection.Exchange(deadline));
  for (const Reply& reply : replies) {
    if (reply.IsError()) return Fail(ErrorOf(reply));
    if (reply.Text(0) == "epoch") return Fail(Unavailable("it lost its memory again"));
  }
  return {};
}

void ClaimStoreMemory::Adopt(const StoreMemory& memory, WallTime known_since) {
  server_.memory().Take(memory.epoch, known_since);
}

Status ClaimStoreMemory::SayWhole(const StoreMemory& memory) {
  const SteadyTime deadline = Soon();
  TOCSIN_TRY(Connection connection, server_.Connect(deadline));
  TOCSIN_CHECK_OK(connection.Ask(
      {"SET", server_.keys().Whole(), server_.memory().WholeMark(memory.epoch)}, deadline));
  return {};
}

}  // namespace tocsin::redis
