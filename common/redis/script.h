// The Lua scripts, one per transition (common/redis/scripts), and how they are called.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/redis/connection.h"
#include "common/redis/keys.h"
#include "common/redis/memory.h"

namespace tocsin::redis {

struct Script {
  std::string text;  // with the prologue before it
  std::string sha;   // SHA-1, hexadecimal: its name in Redis's cache

  explicit Script(std::string_view body);
};

const Script& TakeScript();
const Script& ReleaseScript();
const Script& KeepScript();
const Script& SettleScript();
const Script& WorkScript();
const Script& RestoreScript();
const Script& RemarkScript();
const Script& OpenScript();
const Script& NoteScript();
const Script& TurnScript();
const Script& AdmitScript();
const Script& WithdrawScript();
const Script& MarkScript();

// `keys` and `args` are those after the prologue's own two.
struct ScriptCall {
  const Script& script;
  std::vector<std::string> keys;
  std::vector<std::string> args;
};

// By its SHA; by its text when Redis answered NOSCRIPT, as it does after a restart or a SCRIPT
// FLUSH.
enum class CallForm { kBySha, kByText };

void Append(Connection& connection, const ScriptCall& call, const Keys& keys,
            const Memory::Held& held, CallForm form);

bool IsNoScript(const Reply& reply);

// What every script answers is a list: a word, the tide or 0, and what belongs to the word. Gives
// it on, keeps the tide; fails with kRedisUnavailable when the epoch changed or Redis answered an
// error.
Result<Reply> Judge(Reply reply, Memory& memory, Memory::Held& held);

}  // namespace tocsin::redis
