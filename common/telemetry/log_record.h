// A log line on its way from the caller to the writer. The caller only copies bytes; the writer
// thread scrubs and escapes.
#pragma once

#include <chrono>
#include <initializer_list>
#include <string>
#include <string_view>

#include "common/telemetry/log.h"

namespace tocsin::telemetry {

// The fields that identify the process.
struct LogIdentity {
  std::string service_name;
  std::string service_instance_id;
};

// Truncates strings to kLogStringLimit.
std::string PackRecord(std::string_view event, std::string_view body,
                       std::initializer_list<LogField> fields);

// The JSON line with its line break. `record` is from PackRecord(). Scrubs every string.
std::string RenderLine(const LogIdentity& identity, std::chrono::system_clock::time_point time,
                       Severity severity, std::string_view record);

// "2026-01-31T12:00:00.000001Z"
std::string Rfc3339(std::chrono::system_clock::time_point time);

}  // namespace tocsin::telemetry
