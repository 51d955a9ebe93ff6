// The log: one JSON object per line on stdout, for machines first (jq, Loki, grep).
//
//   telemetry::Log(Severity::kInfo, "alert.accepted", "accepted", {{"alert_id", id}, {"bytes",
//   size}});
//
// gives {"timestamp":"2026-01-31T12:00:00.000001Z","severity_text":"INFO","body":"accepted",
// "service.name":…,"service.version":…,"service.instance.id":…,"event.name":"alert.accepted","alert_id":…}.
// Every string passes the scrubber (scrub.h) on its way out; invalid UTF-8 is replaced. A trace is
// named by the field {"trace_id", trace.trace_id()}.
#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "common/base/error.h"
#include "common/base/secret.h"

namespace tocsin::telemetry {

constexpr size_t kLogQueueLines = 8192;   // lines waiting to be written; the oldest give way
constexpr size_t kLogStringLimit = 4096;  // bytes of one value or body; the rest is cut off

enum class Severity { kDebug, kInfo, kWarn, kError, kFatal };

std::string_view NameOf(Severity severity);                    // "INFO"
std::optional<Severity> SeverityNamed(std::string_view name);  // any case; "warning" is kWarn

// What is logged is at least this severe. May be set at any time, from any thread; kInfo at start.
void SetLogLevel(Severity severity);

namespace detail {
extern std::atomic<Severity> log_level;
}  // namespace detail

inline Severity LogLevel() { return detail::log_level.load(std::memory_order_relaxed); }
inline bool LogEnabled(Severity severity) { return severity >= LogLevel(); }

// A typed value. Strings are looked at, not copied: they must live until Log() returns. Secret and
// Pii show their length only.
class LogValue {
 public:
  struct Hidden {
    size_t size;
  };
  using Variant = std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool, Hidden>;

  LogValue(const char* text) : value_(std::string_view(text)) {}
  LogValue(std::string_view text) : value_(text) {}
  LogValue(const std::string& text) : value_(std::string_view(text)) {}
  LogValue(std::same_as<bool> auto value) : value_(value) {}
  LogValue(std::floating_point auto value) : value_(static_cast<double>(value)) {}
  template <std::signed_integral T>
  LogValue(T value) : value_(static_cast<std::int64_t>(value)) {}
  template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>) LogValue(T value) : value_(static_cast<std::uint64_t>(value)) {}
  LogValue(ErrorCode code) : value_(TraitsOf(code).name) {}
  template <typename Tag>
  LogValue(const Guarded<Tag>& guarded) : value_(Hidden{guarded.size()}) {}

  const Variant& value() const { return value_; }

 private:
  Variant value_;
};

struct LogField {
  std::string_view key;  // snake_case; one that the line has already is dropped
  LogValue value;
};

namespace detail {
void Write(Severity severity, std::string_view event, std::string_view body,
           std::initializer_list<LogField> fields);
}  // namespace detail

// Queues the line and returns; never blocks on the output, never throws. A full queue loses its
// oldest line (LogLinesLost()). Any thread. When the level is off the cost is one relaxed load and
// the building of the field list; guard costly arguments by LogEnabled().
inline void Log(Severity severity, std::string_view event, std::string_view body,
                std::initializer_list<LogField> fields = {}) {
  if (LogEnabled(severity)) detail::Write(severity, event, body, fields);
}

// The version of the program, from the build: "0.1.0".
std::string_view Version();

struct LogOptions {
  std::string service_name = {};         // "tocsin-ingress"
  std::string service_instance_id = {};  // a replica's name, or host and process
  Severity level = Severity::kInfo;
  int descriptor = 1;  // where the lines go; not closed
  size_t queue_lines = kLogQueueLines;
};

// The log of this process, from construction to destruction; one at a time. Before and after it,
// lines are written at once, by the caller, to stdout. The destructor writes what is queued, so it
// waits for the reader of a full pipe.
class LogSession {
 public:
  explicit LogSession(LogOptions options);
  ~LogSession();
  LogSession(const LogSession&) = delete;
  LogSession& operator=(const LogSession&) = delete;
};

// Lines that gave way to newer ones since the process began.
std::uint64_t LogLinesLost();

}  // namespace tocsin::telemetry
