#include "common/redis/script.h"

#include <array>

#include "common/base/digest.h"
#include "common/base/encoding.h"
#include "redis_script_texts.inc"

namespace tocsin::redis {

Script::Script(std::string_view body)
    : text(std::string(script_texts::prologue).append(body)), sha(HexEncode(Sha1(text))) {}

const Script& ClaimScript() {
  static const Script script(script_texts::claim);
  return script;
}
const Script& ReleaseScript() {
  static const Script script(script_texts::release);
  return script;
}
const Script& SaveResultScript() {
  static const Script script(script_texts::save_result);
  return script;
}
const Script& ResolveScript() {
  static const Script script(script_texts::resolve);
  return script;
}
const Script& FindWorkScript() {
  static const Script script(script_texts::find_work);
  return script;
}
const Script& PingScript() {
  static const Script script(script_texts::ping);
  return script;
}
const Script& RestoreScript() {
  static const Script script(script_texts::restore);
  return script;
}
const Script& RestoreAcceptanceScript() {
  static const Script script(script_texts::restore_acceptance);
  return script;
}
const Script& RestoreMarkScript() {
  static const Script script(script_texts::restore_mark);
  return script;
}
const Script& HoldRestoreLeaseScript() {
  static const Script script(script_texts::hold_restore_lease);
  return script;
}
const Script& ReleaseRestoreLeaseScript() {
  static const Script script(script_texts::release_restore_lease);
  return script;
}
const Script& MarkRestoredScript() {
  static const Script script(script_texts::mark_restored);
  return script;
}
const Script& DueUnreconciledScript() {
  static const Script script(script_texts::due_unreconciled);
  return script;
}
const Script& NoteReconciledScript() {
  static const Script script(script_texts::note_reconciled);
  return script;
}
const Script& ReserveRateScript() {
  static const Script script(script_texts::reserve_rate);
  return script;
}
const Script& AdmitScript() {
  static const Script script(script_texts::admit);
  return script;
}
const Script& WithdrawScript() {
  static const Script script(script_texts::withdraw);
  return script;
}
const Script& MarkScript() {
  static const Script script(script_texts::mark);
  return script;
}
const Script& FindAckCodeScript() {
  static const Script script(script_texts::find_ack_code);
  return script;
}

const Script& EndPlanScript() {
  static const Script script(script_texts::end_plan);
  return script;
}
const Script& NoteTargetFailedScript() {
  static const Script script(script_texts::note_target_failed);
  return script;
}
const Script& NoteUndeliveredScript() {
  static const Script script(script_texts::note_undelivered);
  return script;
}

const Script& FindCallsToEndScript() {
  static const Script script(script_texts::find_calls_to_end);
  return script;
}

std::span<const Script* const> WorkerScripts() {
  static const std::array scripts{
      &ClaimScript(),           &ReleaseScript(),         &SaveResultScript(),
      &ResolveScript(),         &FindWorkScript(),        &RestoreScript(),
      &RestoreMarkScript(),     &DueUnreconciledScript(), &NoteReconciledScript(),
      &ReserveRateScript(),     &EndPlanScript(),         &NoteTargetFailedScript(),
      &NoteUndeliveredScript(), &FindCallsToEndScript()};
  return scripts;
}

void Append(Connection& connection, const ScriptCall& call, const Keys& keys,
            const EpochTracker::AdoptedEpoch& epoch, CallForm form) {
  const bool by_sha = form == CallForm::kBySha;
  const std::string epoch_key = keys.Epoch();
  const std::string write_counts_key = keys.WriteCounts();
  const std::string key_count = std::to_string(call.keys.size() + 2);
  std::vector<std::string_view> words{by_sha ? "EVALSHA" : "EVAL",
                                      by_sha ? call.script.sha : call.script.text, key_count,
                                      epoch_key, write_counts_key};
  words.insert(words.end(), call.keys.begin(), call.keys.end());
  words.push_back(epoch.id);
  words.push_back(epoch.process_id);
  words.insert(words.end(), call.args.begin(), call.args.end());
  connection.Append(words);
}

bool IsNoScript(const Reply& reply) { return reply.IsError("NOSCRIPT"); }

Result<Reply> CheckReply(Reply reply, EpochTracker& tracker, EpochTracker::AdoptedEpoch& epoch) {
  if (reply.kind != Reply::Kind::kList) return Fail(ErrorOf(reply));
  if (reply.Text(0) == "epoch_changed") return Fail(tracker.ReportDataLoss(epoch));
  epoch.Confirm(reply.Number(1));
  return reply;
}

}  // namespace tocsin::redis
