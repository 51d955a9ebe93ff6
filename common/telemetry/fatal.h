// Reporting the error that ends a program.
#pragma once

#include "common/base/error.h"

namespace tocsin::telemetry {

// Logs the error. Returns the exit code for main(): 2 for a usage or configuration error, 3 if the
// error is retryable, else 1.
int ReportFatal(const Error& error);

}  // namespace tocsin::telemetry
