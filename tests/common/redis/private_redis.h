// A Redis of a test's own, for what would harm others: FLUSHALL, kill -9, a wrong configuration.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "common/redis/connection.h"
#include "common/redis/settings.h"

namespace tocsin::redis {

// Aborts the test program when redis-server cannot be started: nothing could be tested.
class PrivateRedis {
 public:
  // `options` follow the right ones (appendonly yes, noeviction) on the command line and override
  // them.
  explicit PrivateRedis(std::vector<std::string> options = {});
  ~PrivateRedis();
  PrivateRedis(const PrivateRedis&) = delete;
  PrivateRedis& operator=(const PrivateRedis&) = delete;

  Settings Use() const;

  void Kill();    // SIGKILL
  void Start();   // on the same port and folder; returns when it answers
  void Freeze();  // SIGSTOP: the connections stay, no answer comes
  void Thaw();

  const std::filesystem::path& folder() const { return folder_; }

  // One command over a connection of its own.
  Reply Tell(std::initializer_list<std::string_view> words) const;

 private:
  void Spawn();

  std::vector<std::string> options_;
  std::filesystem::path folder_;
  std::uint16_t port_ = 0;
  pid_t pid_ = 0;
};

}  // namespace tocsin::redis
