// Where Redis is and how it is used.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/secret.h"

namespace tocsin::redis {

constexpr std::chrono::milliseconds kConnectLimit{500};
constexpr std::chrono::milliseconds kCommandLimit{
    1000};  // of a whole call: waiting, connecting, asking
constexpr std::size_t kDefaultPoolSize = 20;

// One Redis (7 or later), perhaps with replicas; not a Redis Cluster: a script touches several
// keys.
struct Settings {
  std::string host = "127.0.0.1";
  std::uint16_t port = 6379;
  int database = 0;
  std::string user;  // empty: the default user
  Secret password;   // empty: no AUTH

  std::string prefix = "tocsin";  // of every key; what shares a prefix shares its state
  std::size_t pool_size = kDefaultPoolSize;
  std::chrono::milliseconds connect_limit = kConnectLimit;
  std::chrono::milliseconds command_limit = kCommandLimit;

  // The epoch a former run of this process held; empty: take the one that stands. With it, memory
  // that was lost while the process was away is noticed too.
  std::string known_epoch;

  // No epoch is taken before somebody who restored the claims says so (Memory::Take): every script
  // is refused until then.
  bool waits_for_rebuild = false;
};

// Reads `redis://[[user]:password@]host[:port][/database]`; user and password may be
// percent-encoded, an IPv6 address stands in brackets. Fails with kInvalidConfig; the message never
// shows the password.
Result<Settings> ParseUrl(std::string_view url);

}  // namespace tocsin::redis
