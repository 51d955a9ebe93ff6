// What Redis says of itself (INFO), and whether claims may be entrusted to it.
#pragma once

#include <string>
#include <string_view>

namespace tocsin::redis {

struct ServerInfo {
  std::string
      identity;  // run_id and master_replid: another one is another process or another history
  std::string version;
  std::string role;
  std::string eviction;  // maxmemory_policy
  bool append_only = false;
};

ServerInfo ParseInfo(std::string_view info);

// What must be changed before this Redis can be used, in words for its operator; empty when
// nothing.
std::string FaultsOf(const ServerInfo& info);

}  // namespace tocsin::redis
