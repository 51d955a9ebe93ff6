// How a fault shows in the answer to an attempt to create something.
#pragma once

#include "tools/twilio-sim/faults.h"
#include "tools/twilio-sim/reply.h"

namespace tocsin::sim {

// Whether the attempt ends before anything is created.
bool AcceptsNothing(FaultKind kind);

// Puts the fault between the plain answer and the client.
Reply Disturb(Reply plain, const Fault& fault, const CreateFaults& settings);

}  // namespace tocsin::sim
