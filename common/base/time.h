// Times and durations in whole microseconds, as in the records on Kafka topics.
#pragma once

#include <chrono>
#include <cstdint>

namespace tocsin {

using Micros = std::chrono::microseconds;
using WallTime = std::chrono::sys_time<Micros>;            // UTC; compared between processes
using SteadyTime = std::chrono::steady_clock::time_point;  // monotonic; within one process only

constexpr std::int64_t ToUnixMicros(WallTime time) { return time.time_since_epoch().count(); }
constexpr WallTime FromUnixMicros(std::int64_t micros) { return WallTime(Micros(micros)); }

}  // namespace tocsin
