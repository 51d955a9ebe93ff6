// A request to make a call: whether Twilio takes it, and what it then means. Pure.
#pragma once

#include <string>
#include <string_view>

#include "common/base/encoding.h"
#include "tools/twilio-sim/directory.h"
#include "tools/twilio-sim/sender_queues.h"
#include "tools/twilio-sim/voice/call.h"

namespace tocsin::sim {

constexpr size_t kMaxTwimlParameter = 4000;  // characters
constexpr std::chrono::seconds kLongestRinging{600};
constexpr size_t kMaxSendDigits = 32;
constexpr std::chrono::hours kLongestCallQueue{24};

// The checks, in the order in which a client sees their codes: To, From, the script, callbacks, the
// rest, the account's queue. Gives kNoError and fills `draft`, or the code. Unknown parameters are
// ignored.
int JudgeCall(const FormFields& fields, size_t account, const Directory& directory,
              const SenderQueues& queues, WallTime now, CallDraft& draft);

// What replaces the script of a live call, from an update: the code of what is wrong with it.
int JudgeRedirect(const FormFields& fields, CallDraft& draft);

// The value of the last field of that name, or nothing.
std::string_view Field(const FormFields& fields, std::string_view name);

}  // namespace tocsin::sim
