// The last words of a program that cannot go on.
#pragma once

#include "common/base/error.h"

namespace tocsin::telemetry {

// Tells a person, on stderr, what happened, and gives the exit code for main(): 2 for wrong use or
// configuration, 3 when something could not be reached, 1 for the rest.
int Explain(const Error& error);

}  // namespace tocsin::telemetry
