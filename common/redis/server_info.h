// The INFO of a Redis server, and whether its configuration is safe for claims.
#pragma once

#include <string>
#include <string_view>

namespace tocsin::redis {

struct ServerInfo {
  std::string identity;  // run_id and master_replid: change with the process and the data set
  std::string version;
  std::string role;
  std::string maxmemory_policy;
  bool append_only = false;
  bool loading = false;  // its data: no command is served, and append_only is not set yet
};

ServerInfo ParseInfo(std::string_view info);

// What an operator must change before this Redis can be used; empty if nothing.
std::string ConfigErrors(const ServerInfo& info);

}  // namespace tocsin::redis
