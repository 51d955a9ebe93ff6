#include "common/telemetry/log.h"

#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/sinks/sink.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <utility>

#include "common/telemetry/log_record.h"

namespace tocsin::telemetry {
namespace detail {
std::atomic<Severity> log_level{Severity::kInfo};
}  // namespace detail

namespace {

constexpr std::string_view kNames[] = {"DEBUG", "INFO", "WARN", "ERROR", "FATAL"};

spdlog::level::level_enum LevelOf(Severity severity) {
  switch (severity) {
    case Severity::kDebug: return spdlog::level::debug;
    case Severity::kInfo: return spdlog::level::info;
    case Severity::kWarn: return spdlog::level::warn;
    case Severity::kError: return spdlog::level::err;
    case Severity::kFatal: return spdlog::level::critical;
  }
  return spdlog::level::critical;
}

Severity SeverityOf(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::trace:
    case spdlog::level::debug: return Severity::kDebug;
    case spdlog::level::info: return Severity::kInfo;
    case spdlog::level::warn: return Severity::kWarn;
    case spdlog::level::err: return Severity::kError;
    case spdlog::level::critical:
    case spdlog::level::off:
    case spdlog::level::n_levels: return Severity::kFatal;
  }
  return Severity::kFatal;
}

// One write per line, so that lines of several processes do not mix. A line that cannot be written
// is lost: there is nowhere to report it.
void WriteAll(int descriptor, std::string_view line) {
  while (!line.empty()) {
    const ssize_t count = ::write(descriptor, line.data(), line.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return;
    line.remove_prefix(static_cast<size_t>(count));
  }
}

// The only place where records become lines, and where strings are scrubbed.
class LineSink final : public spdlog::sinks::sink {
 public:
  LineSink(LogIdentity identity, int descriptor)
      : identity_(std::move(identity)), descriptor_(descriptor) {}

  void log(const spdlog::details::log_msg& message) override {
    WriteAll(descriptor_, RenderLine(identity_, message.time, SeverityOf(message.level),
                                     {message.payload.data(), message.payload.size()}));
  }
  void flush() override {}
  void set_pattern(const std::string&) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

 private:
  const LogIdentity identity_;
  const int descriptor_;
};

// The current session. Writers hold the lock shared, so that it does not end while they write.
std::shared_mutex current_mutex;
std::shared_ptr<spdlog::async_logger> current_logger;
std::shared_ptr<spdlog::details::thread_pool> current_pool;
std::uint64_t lost_before = 0;  // lines lost by ended sessions
LogIdentity& IdentityOutsideSessions() {
  static LogIdentity identity{"tocsin", ""};
  return identity;
}

}  // namespace

std::string_view NameOf(Severity severity) { return kNames[static_cast<size_t>(severity)]; }

std::optional<Severity> SeverityNamed(std::string_view name) {
  std::string upper(name);
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  if (upper == "WARNING") return Severity::kWarn;
  for (size_t i = 0; i < std::size(kNames); ++i)
    if (kNames[i] == upper) return static_cast<Severity>(i);
  return std::nullopt;
}

void SetLogLevel(Severity severity) { detail::log_level = severity; }

std::string_view Version() { return TOCSIN_VERSION; }

void detail::Write(Severity severity, std::string_view event, std::string_view body,
                   std::initializer_list<LogField> fields) {
  const std::string record = PackRecord(event, body, fields);
  const std::shared_lock lock(current_mutex);
  if (current_logger) {
    current_logger->log(LevelOf(severity), spdlog::string_view_t(record.data(), record.size()));
    return;
  }
  WriteAll(STDOUT_FILENO, RenderLine(IdentityOutsideSessions(), std::chrono::system_clock::now(),
                                     severity, record));
}

void SetLogIdentity(std::string service_name, std::string service_instance_id) {
  const std::unique_lock lock(current_mutex);
  IdentityOutsideSessions() = {std::move(service_name), std::move(service_instance_id)};
}

LogSession::LogSession(LogOptions options) {
  const std::unique_lock lock(current_mutex);
  if (current_logger) std::abort();  // one session at a time
  SetLogLevel(options.level);
  auto sink = std::make_shared<LineSink>(
      LogIdentity{std::move(options.service_name), std::move(options.service_instance_id)},
      options.descriptor);
  current_pool = std::make_shared<spdlog::details::thread_pool>(options.queue_lines, 1);
  current_logger = std::make_shared<spdlog::async_logger>(
      "tocsin", std::move(sink), current_pool, spdlog::async_overflow_policy::overrun_oldest);
  current_logger->set_level(spdlog::level::trace);  // Log() has already filtered
}

LogSession::~LogSession() {
  const std::unique_lock lock(current_mutex);
  lost_before += current_pool->overrun_counter();
  current_pool.reset();  // writes the queued lines and joins the writer
  current_logger.reset();
}

std::uint64_t LogLinesLost() {
  const std::shared_lock lock(current_mutex);
  return lost_before + (current_pool ? current_pool->overrun_counter() : 0);
}

}  // namespace tocsin::telemetry
