#include "common/redis/server_info.h"

#include <charconv>
#include <map>

namespace tocsin::redis {
namespace {

constexpr int kOldestVersion = 7;  // PEXPIREAT … GT and NX

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
          .eviction = fields["maxmemory_policy"],
          .append_only = fields["aof_enabled"] == "1"};
}

std::string FaultsOf(const ServerInfo& info) {
  std::string faults;
  const auto add = [&faults](const std::string& fault) {
    faults += (faults.empty() ? "" : "; ") + fault;
  };
  if (MajorOf(info.version) < kOldestVersion)
    add("version " + info.version + " is too old, 7.0 is needed");
  if (info.role != "master") add("it is a " + info.role + ", a master is needed");
  if (!info.append_only) add("appendonly must be yes, or a restart forgets who sends what");
  if (info.eviction != "noeviction")
    add("maxmemory-policy is " + info.eviction + " and must be noeviction, or claims vanish");
  return faults;
}

}  // namespace tocsin::redis
