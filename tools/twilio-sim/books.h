// The simulator's records as JSON lines.
#pragma once

#include <string>

#include "tools/twilio-sim/state.h"

namespace tocsin::sim {

// One line each, its line end included.
void AppendMessageLine(std::string& out, const State& state, const Message& message);
void AppendAttemptLine(std::string& out, const State& state, const Attempt& attempt);

}  // namespace tocsin::sim
