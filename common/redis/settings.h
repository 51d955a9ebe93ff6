// The Redis server and how it is used.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/secret.h"

namespace tocsin::redis {

constexpr std::chrono::milliseconds kConnectTimeout{500};
constexpr std::chrono::milliseconds kRequestTimeout{1000};
constexpr std::size_t kDefaultPoolSize = 20;

// One Redis (7 or later), with or without replicas; not a Redis Cluster: a script uses several
// keys.
struct Settings {
  std::string host = "127.0.0.1";
  std::uint16_t port = 6379;
  int database = 0;
  std::string user;  // empty: the default user
  Secret password;   // empty: no AUTH

  std::string prefix = "tocsin";  // of all keys; processes with the same prefix share their state
  std::size_t pool_size = kDefaultPoolSize;
  std::chrono::milliseconds connect_timeout = kConnectTimeout;
  // Of a whole request: waiting for a connection, connecting, all commands.
  std::chrono::milliseconds request_timeout = kRequestTimeout;

  // No epoch is used before EpochTracker::Adopt(), which follows the restoration of the claims: all
  // scripts fail until then.
  bool requires_restore = false;
};

// Parses `redis://[[user]:password@]host[:port][/database]`. User and password may be
// percent-encoded, an IPv6 address is in brackets. Fails with kInvalidConfig; the message does not
// contain the password.
Result<Settings> ParseUrl(std::string_view url);

}  // namespace tocsin::redis
