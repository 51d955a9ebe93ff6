// Detects that Redis lost data: otherwise a missing claim would not prove that an attempt never
// started.
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

// Two checks. The epoch is a random value that each script compares: it is missing or different
// after Redis was flushed or replaced. The write count is the number of writes confirmed to this
// process: it is too low if a restart or a failover lost the last writes, while the older epoch was
// kept. Then this process replaces the epoch, so that all others stop, too.
//
// A process that restores claims (`requires_restore`) has no write count, because the lost writes
// may be those of a process that is gone. It treats each restart of Redis as a loss
// until the claims are restored there.
//
// Safe to use from several threads.
class EpochTracker {
 public:
  // The state of this process in one epoch.
  struct AdoptedEpoch {
    std::string id;
    // Random; the field of this process in Keys::WriteCounts(). Empty if it uses no write count.
    std::string process_id;
    std::atomic<std::int64_t> write_count{0};

    void Confirm(std::int64_t count);  // raises write_count to `count`
  };

  // `on_data_loss` is called once per loss, `on_restart` for a connection to another Redis process
  // or data set than before; on the thread that detected it, and they must not block.
  EpochTracker(Keys keys, bool requires_restore, std::function<void()> on_data_loss,
               std::function<void()> on_restart = {});

  // Called once per connection, before its first use. Adopts the current epoch if this process has
  // none, and checks for a loss if this is not the Redis that the last connection had. Blocks until
  // `deadline`.
  Status OnConnect(Connection& connection, const ServerInfo& info, SteadyTime deadline);

  // Adopts the current epoch; creates one if there is none. For a process that has handled the
  // loss.
  Status AdoptCurrent(Connection& connection, SteadyTime deadline);

  // Adopts `epoch_id`, whose claims were restored since `complete_since`.
  void Adopt(const std::string& epoch_id, WallTime complete_since);
  // CompleteSince() of the epoch that is adopted next.
  void SetCompleteSince(WallTime complete_since) {
    complete_since_us_ = ToUnixMicros(complete_since);
  }
  WallTime CompleteSince() const { return WallTime(Micros(complete_since_us_.load())); }

  // The value of Keys::Restored() if the claims of `epoch_id` are restored in the Redis of the last
  // connection, and of Keys::AcceptancesRestored() for acceptances.
  std::string RestoredMarker(std::string_view epoch_id) const;

  // Null before the first OnConnect() of a process without `requires_restore`.
  std::shared_ptr<AdoptedEpoch> Current() const;

  // Calls `on_data_loss`, once per adopted epoch, and returns the error of all requests.
  Error ReportDataLoss(const AdoptedEpoch& epoch);

 private:
  Status CheckWriteCount(Connection& connection, SteadyTime deadline);
  Status CheckRestored(Connection& connection, const ServerInfo& info, SteadyTime deadline);
  void SetCurrent(const std::string& epoch_id);  // under mutex_

  const Keys keys_;
  const bool requires_restore_;
  const std::function<void()> on_data_loss_;
  const std::function<void()> on_restart_;
  mutable std::mutex mutex_;
  std::shared_ptr<AdoptedEpoch> current_;
  std::string identity_;  // of the Redis of the last connection
  std::atomic<std::int64_t> complete_since_us_{ToUnixMicros(WallTime::min())};
  std::string reported_;  // id of the epoch whose loss was reported
};

}  // namespace tocsin::redis
