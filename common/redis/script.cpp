#include "common/redis/script.h"

#include "common/base/digest.h"
#include "common/base/encoding.h"
#include "redis_script_texts.h"

namespace tocsin::redis {

Script::Script(std::string_view body)
    : text(std::string(script_texts::prologue).append(body)), sha(HexEncode(Sha1(text))) {}

const Script& TakeScript() {
  static const Script script(script_texts::take);
  return script;
}
const Script& ReleaseScript() {
  static const Script script(script_texts::release);
  return script;
}
const Script& KeepScript() {
  static const Script script(script_texts::keep);
  return script;
}
const Script& SettleScript() {
  static const Script script(script_texts::settle);
  return script;
}
const Script& WorkScript() {
  static const Script script(script_texts::work);
  return script;
}
const Script& RestoreScript() {
  static const Script script(script_texts::restore);
  return script;
}
const Script& RemarkScript() {
  static const Script script(script_texts::remark);
  return script;
}
const Script& OpenScript() {
  static const Script script(script_texts::open);
  return script;
}
const Script& NoteScript() {
  static const Script script(script_texts::note);
  return script;
}
const Script& TurnScript() {
  static const Script script(script_texts::turn);
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

void Append(Connection& connection, const ScriptCall& call, const Keys& keys,
            const Memory::Held& held, CallForm form) {
  const bool by_sha = form == CallForm::kBySha;
  const std::string epoch = keys.Epoch();
  const std::string tide = keys.Tide();
  const std::string key_count = std::to_string(call.keys.size() + 2);
  std::vector<std::string_view> words{by_sha ? "EVALSHA" : "EVAL",
                                      by_sha ? call.script.sha : call.script.text, key_count, epoch,
                                      tide};
  words.insert(words.end(), call.keys.begin(), call.keys.end());
  words.push_back(held.epoch);
  words.push_back(held.process);
  words.insert(words.end(), call.args.begin(), call.args.end());
  connection.Append(words);
}

bool IsNoScript(const Reply& reply) { return reply.IsError("NOSCRIPT"); }

Result<Reply> Judge(Reply reply, Memory& memory, Memory::Held& held) {
  if (reply.kind != Reply::Kind::kList) return Fail(ErrorOf(reply));
  if (reply.Text(0) == "epoch") return Fail(memory.Lost(held));
  held.Saw(reply.Number(1));
  return reply;
}

}  // namespace tocsin::redis
