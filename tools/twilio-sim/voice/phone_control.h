// Control of phones: their scripts, and actions now.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "common/base/result.h"
#include "tools/twilio-sim/state.h"
#include "tools/twilio-sim/voice/call_engine.h"

namespace tocsin::sim {

// Both lock the state. On failure (kInvalidArgument) nothing has changed.

// By number, or "*" for all others: one script, or several that calls use in order.
Result<void> SetPhones(State& state, const nlohmann::json& body);

// `action`: "answer", "press" or "hang-up". The body names the call.
Result<void> PerformPhoneAction(State& state, CallEngine& engine, const std::string& action,
                                const nlohmann::json& body, WallTime now);

}  // namespace tocsin::sim
