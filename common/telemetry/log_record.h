// A log line between the caller and the writer: the caller copies bytes only; escaping and
// scrubbing are done where the line is written, once for all lines.
#pragma once

#include <chrono>
#include <initializer_list>
#include <string>
#include <string_view>

#include "common/telemetry/log.h"

namespace tocsin::telemetry {

// Who writes the lines.
struct LogIdentity {
  std::string service_name;
  std::string service_instance_id;
};

// Strings are cut at kLogStringLimit.
std::string PackRecord(std::string_view event, std::string_view body,
                       std::initializer_list<LogField> fields);

// The JSON line, with its line end. `record` comes from PackRecord(). Scrubs every string.
std::string RenderLine(const LogIdentity& identity, std::chrono::system_clock::time_point time,
                       Severity severity, std::string_view record);

// "2026-01-31T12:00:00.000001Z"
std::string Rfc3339(std::chrono::system_clock::time_point time);

}  // namespace tocsin::telemetry
