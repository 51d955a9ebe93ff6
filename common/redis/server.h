// The Redis server of this process: its connections, its epoch, its scripts.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/redis/connection.h"
#include "common/redis/epoch_tracker.h"
#include "common/redis/keys.h"
#include "common/redis/pool.h"
#include "common/redis/script.h"
#include "common/redis/settings.h"

namespace tocsin::redis {

// Shared by the adapters of this folder, and outlives them. Connects at its first use and
// reconnects after a failure, so a process can start without Redis. Safe to use from several
// threads. Requests block, for request_timeout (1 s) at most.
class Server {
 public:
  // `on_data_loss` is called once per loss of data, on the thread that detected it; it must not
  // block. All requests fail until the claims are restored from the log and an epoch is adopted.
  // `on_restart`: see EpochTracker.
  explicit Server(Settings settings, std::function<void()> on_data_loss = {},
                  std::function<void()> on_restart = {});

  // Checks that the configuration of Redis is safe for claims. Fails with kInvalidConfig, listing
  // all errors, or kRedisUnavailable.
  Status CheckServer();

  // Fails if Redis does not respond or refuses writes; also, and reports it, if it has lost data.
  Status Ping();

  // Adopts the current epoch after a loss of data.
  Status AdoptEpoch();

  // See Claims::CompleteSince().
  WallTime CompleteSince() const { return tracker_.CompleteSince(); }

  std::size_t ConnectionsInUse() const { return pool_.InUse(); }

  // For the adapters of this folder. Runs a script on a connection of the pool and returns its
  // checked reply. Tasks use a ScriptClient.
  Result<Reply> Run(const ScriptCall& call);
  // Opens a connection outside the pool.
  Result<Connection> Connect(SteadyTime deadline);

  const Keys& keys() const { return keys_; }
  EpochTracker& tracker() { return tracker_; }
  const Settings& settings() const { return settings_; }

 private:
  SteadyTime Deadline() const {
    return std::chrono::steady_clock::now() + settings_.request_timeout;
  }
  Result<Reply> RunOn(Connection& connection, const ScriptCall& call,
                      EpochTracker::AdoptedEpoch& epoch, SteadyTime deadline);

  const Settings settings_;
  const Keys keys_;
  EpochTracker tracker_;
  Pool pool_;
};

}  // namespace tocsin::redis
