// What the kernel says of this process (proc(5)), under the names all Prometheus clients use.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

namespace tocsin::telemetry {

// CPU time, memory, descriptors and their limit, threads, start time, and the log lines lost. A
// figure the kernel does not give is left out. Reads a few files of /proc: well under a
// millisecond.
std::vector<prometheus::MetricFamily> ProcessMetrics();

}  // namespace tocsin::telemetry
