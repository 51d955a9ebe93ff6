// Metrics of the process from proc(5), under the standard names of Prometheus client libraries.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

namespace tocsin::telemetry {

// CPU time, memory, open descriptors and their limit, threads, start time, lost log lines. Omits a
// value that the kernel does not provide. Reads a few files of /proc.
std::vector<prometheus::MetricFamily> ProcessMetrics();

}  // namespace tocsin::telemetry
