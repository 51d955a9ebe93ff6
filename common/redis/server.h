// The one Redis this process works with: its connections, its memory, its scripts.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/redis/connection.h"
#include "common/redis/keys.h"
#include "common/redis/memory.h"
#include "common/redis/pool.h"
#include "common/redis/script.h"
#include "common/redis/settings.h"

namespace tocsin::redis {

// Shared by ClaimStore, GcraPacer and AdmissionQueue, and outlives them. Connects when it is first
// needed, so a process starts without Redis and finds it again after a restart. Every call blocks,
// command_limit (1 s) at most, and is safe from several threads.
class Server {
 public:
  // `on_epoch_changed` tells main, once per loss, that Redis lost its memory: what it held must be
  // rebuilt from the log before AdoptEpoch(); until then every call fails. It runs on a thread that
  // asked Redis and must not block.
  explicit Server(Settings settings, std::function<void()> on_epoch_changed = {});

  // Whether claims may be entrusted to this Redis: kInvalidConfig names all that is wrong with it,
  // kRedisUnavailable when it cannot be asked.
  Status CheckServer();

  // Health: one PING over a connection of the pool.
  Status Ping();

  // Takes the epoch that stands now. Only after the claims were rebuilt.
  Status AdoptEpoch();

  // See Claims.
  WallTime KnownSince() const { return memory_.KnownSince(); }

  // The epoch held, to be remembered for Settings::known_epoch; empty until the first connection.
  std::string Epoch() const;

  std::size_t ConnectionsInUse() const { return pool_.Lent(); }

  // For the adapters of this folder: a script's answer, judged.
  Result<Reply> Run(const ScriptCall& call);
  // A connection outside the pool, ready for use.
  Result<Connection> Connect(SteadyTime deadline);

  const Keys& keys() const { return keys_; }
  Memory& memory() { return memory_; }
  const Settings& settings() const { return settings_; }

 private:
  SteadyTime Deadline() const { return std::chrono::steady_clock::now() + settings_.command_limit; }

  const Settings settings_;
  const Keys keys_;
  Memory memory_;
  Pool pool_;
};

}  // namespace tocsin::redis
