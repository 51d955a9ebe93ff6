// What a test asks of the telephones: what they will do, and what to do now.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "common/base/result.h"
#include "tools/twilio-sim/state.h"
#include "tools/twilio-sim/voice/exchange.h"

namespace tocsin::sim {

// Each fails with kInvalidArgument, naming what is wrong; then nothing has changed. They take the
// state's lock.

// Number, or "*" for all others -> one script, or several that calls take in turn.
Result<void> SetPhones(State& state, const nlohmann::json& body);

// `deed`: "answer", "press" or "hang-up", of the call named in the body.
Result<void> ActByHand(State& state, Exchange& exchange, const std::string& deed,
                       const nlohmann::json& body, WallTime now);

}  // namespace tocsin::sim
