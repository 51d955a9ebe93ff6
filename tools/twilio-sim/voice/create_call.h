// Parses and validates requests to create a call. Pure.
#pragma once

#include <string>
#include <string_view>

#include "common/base/encoding.h"
#include "tools/twilio-sim/directory.h"
#include "tools/twilio-sim/messages/sender_queues.h"
#include "tools/twilio-sim/voice/call.h"

namespace tocsin::sim {

constexpr size_t kMaxTwimlParameter = 4000;  // characters
constexpr std::chrono::seconds kMaxRingTimeout{600};
constexpr size_t kMaxSendDigits = 32;

// Returns kNoError and sets `draft`, or returns the error code. Checks in this order: To, From,
// script, callbacks, other parameters, the queue of the account. Ignores unknown parameters.
int CheckCreateCall(const FormFields& fields, size_t account, const Directory& directory,
                    const SenderQueues& queues, WallTime now, CallDraft& draft);

// The new script of a call from an update. Returns kNoError or the error code.
int CheckRedirect(const FormFields& fields, CallDraft& draft);

// The last value of the parameter; empty if absent.
std::string_view Field(const FormFields& fields, std::string_view name);

}  // namespace tocsin::sim
