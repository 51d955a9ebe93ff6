// The Lua scripts (common/redis/scripts) and how they are called.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/redis/connection.h"
#include "common/redis/epoch_tracker.h"
#include "common/redis/keys.h"

namespace tocsin::redis {

struct Script {
  std::string text;  // with the prologue
  std::string sha;   // SHA-1, hexadecimal: identifies it in Redis's script cache

  explicit Script(std::string_view body);
};

const Script& ClaimScript();
const Script& ReleaseScript();
const Script& SaveResultScript();
const Script& ResolveScript();
const Script& FindWorkScript();
const Script& EndPlanScript();
const Script& FindCallsToEndScript();
const Script& NoteTargetFailedScript();
const Script& NoteUndeliveredScript();
const Script& PingScript();
const Script& RestoreScript();
const Script& RestoreAcceptanceScript();
const Script& RestoreMarkScript();
const Script& HoldRestoreLeaseScript();
const Script& ReleaseRestoreLeaseScript();
const Script& MarkRestoredScript();
const Script& DueUnreconciledScript();
const Script& NoteReconciledScript();
const Script& ReserveRateScript();
const Script& AdmitScript();
const Script& WithdrawScript();
const Script& MarkScript();
const Script& FindAckCodeScript();

// The scripts that a worker calls.
std::span<const Script* const> WorkerScripts();

// `keys` and `args` follow the two of the prologue.
struct ScriptCall {
  const Script& script;
  std::vector<std::string> keys;
  std::vector<std::string> args;
};

// EVALSHA or EVAL. EVAL after a NOSCRIPT reply, which follows a restart or SCRIPT FLUSH.
enum class CallForm { kBySha, kByText };

// Adds the call to the pipeline of the connection.
void Append(Connection& connection, const ScriptCall& call, const Keys& keys,
            const EpochTracker::AdoptedEpoch& epoch, CallForm form);

bool IsNoScript(const Reply& reply);

// A script returns a list: a word, the write count or 0, and values that depend on the word.
// Returns the list and confirms the write count. Fails with kRedisUnavailable if the epoch changed,
// or on an error reply.
Result<Reply> CheckReply(Reply reply, EpochTracker& tracker, EpochTracker::AdoptedEpoch& epoch);

}  // namespace tocsin::redis
