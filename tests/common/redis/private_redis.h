// A Redis server for one test: FLUSHALL, kill -9 or a wrong configuration would disturb others.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "common/redis/connection.h"
#include "common/redis/settings.h"

namespace tocsin::redis {

// Aborts the test program if redis-server cannot be started.
class PrivateRedis {
 public:
  // `options` override the defaults (appendonly yes, noeviction).
  explicit PrivateRedis(std::vector<std::string> options = {});
  ~PrivateRedis();
  PrivateRedis(const PrivateRedis&) = delete;
  PrivateRedis& operator=(const PrivateRedis&) = delete;

  Settings ServerSettings() const;

  void Kill();          // SIGKILL
  void Start();         // on the same port and folder; returns when it accepts commands
  void StartLoading();  // returns while it loads its data
  void Pause();         // SIGSTOP: connections stay open, without replies
  void Resume();        // SIGCONT

  const std::filesystem::path& folder() const { return folder_; }

  // Executes a command on a new connection.
  Reply Execute(std::initializer_list<std::string_view> words) const;

 private:
  void Spawn();

  std::vector<std::string> options_;
  std::filesystem::path folder_;
  std::uint16_t port_ = 0;
  pid_t pid_ = 0;
};

}  // namespace tocsin::redis
