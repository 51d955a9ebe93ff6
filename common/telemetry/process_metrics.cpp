#include "common/telemetry/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>

#include "common/telemetry/log.h"

namespace tocsin::telemetry {
namespace {

// Fields of /proc/self/stat, numbered as in proc(5).
constexpr size_t kFirstFieldAfterName = 3;
constexpr size_t kUserTicks = 14;
constexpr size_t kSystemTicks = 15;
constexpr size_t kThreads = 20;
constexpr size_t kStartTicks = 22;
constexpr size_t kVirtualBytes = 23;
constexpr size_t kResidentPages = 24;

std::string ReadAll(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

class Stat {
 public:
  Stat() {
    const std::string text = ReadAll("/proc/self/stat");
    const size_t name_end = text.rfind(')');  // the name may contain spaces and parentheses
    if (name_end == std::string::npos) return;
    std::istringstream words(text.substr(name_end + 1));
    fields_.assign(std::istream_iterator<std::string>(words), {});
  }

  std::optional<double> Field(size_t number) const {
    const size_t index = number - kFirstFieldAfterName;
    if (index >= fields_.size()) return std::nullopt;
    return static_cast<double>(std::strtoull(fields_[index].c_str(), nullptr, 10));
  }

 private:
  std::vector<std::string> fields_;
};

std::optional<double> BootTime() {
  std::istringstream lines(ReadAll("/proc/stat"));
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("btime "))
      return static_cast<double>(std::strtoull(line.c_str() + 6, nullptr, 10));
  return std::nullopt;
}

std::optional<double> OpenDescriptors() {
  std::error_code error;
  double count = 0;
  for (std::filesystem::directory_iterator entry("/proc/self/fd", error), end;
       !error && entry != end; entry.increment(error))
    ++count;
  if (error) return std::nullopt;
  return count - 1;  // without the one that reads the directory
}

class Families {
 public:
  void Add(const char* name, const char* help, prometheus::MetricType type,
           std::optional<double> value) {
    if (!value) return;
    prometheus::ClientMetric metric;
    if (type == prometheus::MetricType::Counter) {
      metric.counter.value = *value;
    } else {
      metric.gauge.value = *value;
    }
    families_.push_back({name, help, type, {std::move(metric)}});
  }
  std::vector<prometheus::MetricFamily> Release() { return std::move(families_); }

 private:
  std::vector<prometheus::MetricFamily> families_;
};

}  // namespace

std::vector<prometheus::MetricFamily> ProcessMetrics() {
  using prometheus::MetricType;
  const Stat stat;
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
  const auto user = stat.Field(kUserTicks), system = stat.Field(kSystemTicks);
  const auto boot = BootTime(), start = stat.Field(kStartTicks);
  const auto resident = stat.Field(kResidentPages);
  std::optional<double> cpu_seconds, start_seconds, resident_bytes, descriptor_limit;
  if (user && system) cpu_seconds = (*user + *system) / ticks;
  if (boot && start) start_seconds = *boot + *start / ticks;
  if (resident) resident_bytes = *resident * page;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0)
    descriptor_limit = static_cast<double>(limit.rlim_cur);

  Families families;
  families.Add("process_cpu_seconds_total", "User and system CPU time spent.", MetricType::Counter,
               cpu_seconds);
  families.Add("process_resident_memory_bytes", "Resident memory.", MetricType::Gauge,
               resident_bytes);
  families.Add("process_virtual_memory_bytes", "Virtual memory.", MetricType::Gauge,
               stat.Field(kVirtualBytes));
  families.Add("process_open_fds", "Open file descriptors.", MetricType::Gauge, OpenDescriptors());
  families.Add("process_max_fds", "Limit of open file descriptors.", MetricType::Gauge,
               descriptor_limit);
  families.Add("process_threads", "Threads.", MetricType::Gauge, stat.Field(kThreads));
  families.Add("process_start_time_seconds", "Start of the process, Unix time.", MetricType::Gauge,
               start_seconds);
  families.Add("tocsin_log_lines_lost_total", "Log lines dropped because the queue was full.",
               MetricType::Counter, static_cast<double>(LogLinesLost()));
  return families.Release();
}

}  // namespace tocsin::telemetry
