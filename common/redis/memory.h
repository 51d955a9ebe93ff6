// Whether Redis still remembers what it promised: without that, "no claim" would not prove "never
// begun".
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/redis/connection.h"
#include "common/redis/keys.h"
#include "common/redis/server_info.h"

namespace tocsin::redis {

// Two proofs. The epoch is a random key that every script compares: it is gone when Redis was
// flushed or exchanged. The tide counts the promises made to this process: it has fallen when a
// restart (or a replica that took over) lost the last writes though the epoch is old enough to have
// survived; then this process replaces the epoch, so that all others stop too. A process that
// restores claims does not trust its own tide alone, for who was promised something last may be
// dead: to it every Redis that came back is one that forgot, until the claims were restored there.
// Safe to call from several threads.
class Memory {
 public:
  // What one process holds on to between two adoptions.
  struct Held {
    std::string epoch;
    std::string process;  // random; its field in the tide
    std::atomic<std::int64_t> tide{0};

    void Saw(std::int64_t promised);
  };

  // `on_lost` is called once per loss, on the thread that saw it; it must not block.
  Memory(Keys keys, std::string known_epoch, bool waits_for_rebuild, std::function<void()> on_lost);

  // Once per connection, before its first use: takes the epoch that stands (or founds one) when
  // this process holds none yet, and asks for proof when this is not the Redis it last saw. Blocks
  // until `deadline`.
  Status Meet(Connection& connection, const ServerInfo& info, SteadyTime deadline);

  // Takes the epoch that stands now, or founds one. For a process that has rebuilt what was lost.
  Status Adopt(Connection& connection, SteadyTime deadline);

  // Works with `epoch`, whose claims were restored; what is older than `known_since` was not.
  void Take(const std::string& epoch, WallTime known_since);
  WallTime KnownSince() const { return WallTime(Micros(known_since_us_.load())); }

  // What stands under Keys::Whole() when the claims of `epoch` were restored in the Redis last
  // seen.
  std::string WholeMark(std::string_view epoch) const;

  // Null until the first Meet().
  std::shared_ptr<Held> Current() const;

  // Tells the hook, once per held epoch, and gives the error that all calls fail with.
  Error Lost(const Held& held);

 private:
  Status CompareTide(Connection& connection, SteadyTime deadline);
  Status CompareWhole(Connection& connection, const ServerInfo& info, SteadyTime deadline);

  const Keys keys_;
  const std::string known_epoch_;
  const bool waits_for_rebuild_;
  const std::function<void()> on_lost_;
  mutable std::mutex mutex_;
  std::shared_ptr<Held> held_;
  std::string identity_;  // of the Redis last seen
  std::atomic<std::int64_t> known_since_us_{ToUnixMicros(WallTime::min())};
  std::string reported_;  // the epoch whose loss was told
};

}  // namespace tocsin::redis
