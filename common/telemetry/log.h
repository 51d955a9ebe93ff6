// The log: one JSON object per line on stdout (for jq, Loki, grep).
//
//   telemetry::Log(Severity::kInfo, "alert.accepted", "accepted", {{"alert_id", id}, {"bytes",
//   size}});
//
// gives {"timestamp":"2026-01-31T12:00:00.000001Z","severity_text":"INFO","body":"accepted",
// "service.name":…,"service.version":…,"service.instance.id":…,"event.name":"alert.accepted","alert_id":…}.
// Every string is scrubbed (scrub.h); invalid UTF-8 is replaced. A line about a trace has the field
// {"trace_id", trace.trace_id()}.
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

constexpr size_t kLogQueueLines = 2048;   // lines queued for writing; the oldest are dropped
constexpr size_t kLogStringLimit = 4096;  // bytes of one value or body; the rest is truncated

enum class Severity { kDebug, kInfo, kWarn, kError, kFatal };

std::string_view NameOf(Severity severity);  // "INFO"
std::optional<Severity> SeverityNamed(
    std::string_view name);  // case-insensitive; "warning" is kWarn

// Lines below this severity are not logged. kInfo at start. Thread-safe.
void SetLogLevel(Severity severity);

namespace detail {
extern std::atomic<Severity> log_level;
}  // namespace detail

inline Severity LogLevel() { return detail::log_level.load(std::memory_order_relaxed); }
inline bool LogEnabled(Severity severity) { return severity >= LogLevel(); }

// A typed value. Strings are not copied: they must live until Log() returns. A Secret or Pii is
// logged as its length only.
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
  std::string_view key;  // snake_case; a key that the line already has is dropped
  LogValue value;
};

namespace detail {
void Write(Severity severity, std::string_view event, std::string_view body,
           std::initializer_list<LogField> fields);
}  // namespace detail

// Queues the line and returns. Does not block on the output and does not throw. A full queue drops
// its oldest line (LogLinesLost()). Thread-safe. A line below the level costs one relaxed load and
// the construction of `fields`; guard expensive arguments with LogEnabled().
inline void Log(Severity severity, std::string_view event, std::string_view body,
                std::initializer_list<LogField> fields = {}) {
  if (LogEnabled(severity)) detail::Write(severity, event, body, fields);
}

// The version of the program, from the build: "0.1.0".
std::string_view Version();

struct LogOptions {
  std::string service_name = {};         // "tocsin-ingress"
  std::string service_instance_id = {};  // the name of the replica
  Severity level = Severity::kInfo;
  int descriptor = 1;  // file descriptor of the output; not closed
  size_t queue_lines = kLogQueueLines;
};

// Sets `service.name` and `service.instance.id` of lines outside a session; a session sets its own.
// Thread-safe.
void SetLogIdentity(std::string service_name, std::string service_instance_id);

// The log of this process from construction to destruction; at most one at a time. Outside a
// session, the calling thread writes lines to stdout itself. The destructor writes the queued lines
// and blocks while the output is a full pipe.
class LogSession {
 public:
  explicit LogSession(LogOptions options);
  ~LogSession();
  LogSession(const LogSession&) = delete;
  LogSession& operator=(const LogSession&) = delete;
};

// Number of lines dropped since the start of the process.
std::uint64_t LogLinesLost();

}  // namespace tocsin::telemetry
