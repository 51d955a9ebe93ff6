#include "common/redis/server_info.h"

#include <charconv>
#include <map>

namespace tocsin::redis {
namespace {

constexpr int kMinVersion = 7;  // PEXPIREAT … GT and NX

int MajorOf(const std::string& version) {
  int major = 0;
  std::from_chars(version.data(), version.data() + version.size(), major);
  return major;
}

}  // namespace

ServerInfo ParseInfo(std::string_view info) {
  std::map<std::string, std::string, std::less<>> fields;
  while (!info.empty()) {
    const size_t end = info.find("\r\n");
    const std::string_view line = info.substr(0, end);
    if (const size_t colon = line.find(':'); colon != std::string_view::npos)
      fields.emplace(line.substr(0, colon), line.substr(colon + 1));
    info = end == std::string_view::npos ? std::string_view() : info.substr(end + 2);
  }
  return {.identity = fields["run_id"] + "/" + fields["master_replid"],
          .version = fields["redis_version"],
          .role = fields["role"],
          .maxmemory_policy = fields["maxmemory_policy"],
          .append_only = fields["aof_enabled"] == "1",
          .loading = fields["loading"] == "1"};
}

std::string ConfigErrors(const ServerInfo& info) {
  std::string errors;
  const auto add = [&errors](const std::string& error) {
    errors += (errors.empty() ? "" : "; ") + error;
  };
  if (MajorOf(info.version) < kMinVersion)
    add("version " + info.version + " is too old: 7.0 or later required");
  if (info.role != "master") add("role is " + info.role + ": master required");
  if (!info.append_only) add("appendonly is no: must be yes, or a restart loses claims");
  if (info.maxmemory_policy != "noeviction")
    add("maxmemory-policy is " + info.maxmemory_policy +
        ": must be noeviction, or claims are evicted");
  return errors;
}

}  // namespace tocsin::redis
