// Reading topics as a member of a group, with records finished in any order.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/kafka/partition_progress.h"
#include "common/kafka/settings.h"
#include "common/ports/record_log.h"

namespace tocsin::kafka {

struct GroupOptions {
  std::string group;                // with its prefix
  std::vector<std::string> topics;  // with their prefix; one made later is found within 10 s
  std::chrono::milliseconds session{
      6'000};  // silence after which the group gives our partitions away
  std::chrono::milliseconds heartbeat{1'500};
  std::chrono::milliseconds commit_interval{500};
  std::chrono::milliseconds drain{5'000};  // given to records in flight when partitions leave
  // Offering again what was refused. Longer for those who refuse for long.
  std::chrono::milliseconds offer_again{5};
  // Refused records are kept here, in order. At the high mark the partition is paused, at the low
  // mark it flows again: every pause throws away what was fetched ahead.
  size_t high_water = 128;
  size_t low_water = 64;
  // Fetched ahead. A full queue stops fetching for a whole second (librdkafka 2.0.2), so it holds
  // more than a second of work.
  std::int64_t queue_records = 20'000;
  std::int64_t queue_kbytes = 16'384;
};

// Gauges of one assigned partition.
struct PartitionGauge {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t lag = -1;  // records not finished, by the end last seen; -1: not known yet
  size_t in_flight = 0;   // records handed out and not finished
  std::optional<WallTime> oldest_open;  // append time of the oldest record read and not finished
};

// A thread of its own polls and hands out, and does nothing else. Offsets are committed up to the
// first unfinished record of each partition. `range` assignment; with KafkaSettings::instance the
// member is static: it comes back to its partitions within the session time-out.
//
// A partition without a committed offset starts at its beginning. A committed offset that the log
// no longer has stops the consumer (Hooks::failed): records were deleted unread, and where to go on
// is for a person to say.
//
// When partitions leave: nothing more is handed out, records in flight have GroupOptions::drain to
// finish, the finished prefix is committed. When they were lost already, nothing is committed.
class GroupConsumer {
 public:
  // Takes a record, or returns false and leaves it as it is when there is no room now; it is
  // offered again. Called on the polling thread, one record at a time, in the order of each
  // partition. Must not block.
  using Take = std::function<bool(IncomingRecord&& record, Done done)>;

  // Fails with kInvalidConfig. Joins the group behind the scenes, also when Kafka is down at first.
  static Result<std::unique_ptr<GroupConsumer>> Start(const KafkaSettings& settings,
                                                      GroupOptions options, Take take,
                                                      Hooks hooks = {});

  // As Stop().
  ~GroupConsumer();

  // While paused nothing is handed out and nothing fetched; membership and commits go on.
  void PauseAll();
  void ResumeAll();

  // Leaves: drains, commits, closes. Blocks, drain + kCloseLimit (10 s) at most. False when
  // librdkafka's close hangs (it can in 2.0.2 when partitions were lost): its thread is left behind
  // and may no longer be relied on; the program should end by _exit. `take` is not called
  // afterwards.
  bool Stop();

  // Safe from any thread.
  std::vector<PartitionGauge> Gauges() const;
  bool Owns(const std::string& topic, std::int32_t partition) const;

 private:
  class Impl;
  explicit GroupConsumer(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace tocsin::kafka
