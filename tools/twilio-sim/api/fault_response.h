// The response to a create request with a fault.
#pragma once

#include "tools/twilio-sim/api/api_response.h"
#include "tools/twilio-sim/faults.h"

namespace tocsin::sim {

// Whether the fault prevents the resource from being created.
bool PreventsCreation(FaultKind kind);

// Replaces or changes `response`, the response without a fault.
ApiResponse ApplyFault(ApiResponse response, const Fault& fault, const CreateFaults& settings);

}  // namespace tocsin::sim
