// The program of a worker, the same for every channel.
#pragma once

#include "services/worker/spec.h"

namespace tocsin::worker {

// Runs until SIGTERM or SIGINT. Returns the exit code: 0 after a stop, otherwise that of the
// configuration or of telemetry::ReportFatal().
int Main(int argc, char** argv, const WorkerSpec& spec);

}  // namespace tocsin::worker
