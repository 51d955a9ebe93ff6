// Reads topics as a member of a consumer group; records complete in any order.
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
  std::vector<std::string> topics;  // with their prefix; a topic created later is found in 10 s
  std::chrono::milliseconds session_timeout{6'000};
  std::chrono::milliseconds heartbeat_interval{1'500};
  std::chrono::milliseconds out_of_range_timeout{30'000};  // see GroupConsumer
  std::chrono::milliseconds commit_interval{500};
  std::chrono::milliseconds drain_timeout{5'000};  // for records in flight when partitions leave
  // After which the handler is called again with a record that it refused. Longer for handlers that
  // refuse for a long time.
  std::chrono::milliseconds retry_interval{5};
  // Refused records are kept, in order. With `pause_at` of them a partition is paused, with
  // `resume_at` it is resumed: each pause discards the fetched records.
  size_t pause_at = 128;
  size_t resume_at = 64;
  FetchProfile fetch = kLowLatencyFetch;
  // Fetched in advance (queued.min.messages, queued.max.messages.kbytes). A full queue stops
  // fetching for a second (librdkafka 2.0.2), so it holds more than a second of work.
  std::int64_t queue_records = 6'000;
  std::int64_t queue_kbytes = 3'072;
};

// Gauges of one assigned partition.
struct PartitionGauge {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t lag = -1;  // uncompleted records up to the end of the log; -1: unknown
  size_t in_flight = 0;   // records with the handler
  std::optional<WallTime>
      oldest_uncompleted;  // append time of the oldest such record that was read
};

// A thread of its own polls and calls the handler. Commits the offset of the first uncompleted
// record of each partition. Assignment strategy: range. With KafkaSettings::group_instance_id the
// member is static: after a restart within the session timeout it keeps its partitions.
//
// A partition without a committed offset is read from its beginning. An offset that is out of range
// for GroupOptions::out_of_range_timeout stops the consumer (Hooks::fatal): records were deleted
// unread, and an operator decides where to continue.
//
// When partitions are revoked, the handler gets no more of their records, those in flight have
// GroupOptions::drain_timeout to complete, and the offsets are committed. When partitions are lost,
// nothing is committed.
class GroupConsumer {
 public:
  // Takes a record, or returns false and leaves it unchanged while there is no room; it is called
  // again with it. Called on the polling thread, with one record at a time, in the order of each
  // partition. Must not block.
  using Handler = std::function<bool(IncomingRecord&& record, Completion complete)>;

  // Fails with kInvalidConfig. Does not wait for Kafka: the member joins the group as soon as it
  // can.
  static Result<std::unique_ptr<GroupConsumer>> Start(const KafkaSettings& settings,
                                                      GroupOptions options, Handler handler,
                                                      Hooks hooks = {});

  // As Stop().
  ~GroupConsumer();

  // Waits for records in flight, commits, leaves the group. The handler is not called afterwards.
  // Blocks, for drain_timeout + kCloseTimeout (10 s) at most. False when librdkafka's close hangs
  // (in 2.0.2 it can, when partitions were lost): the thread is still running, and the program
  // should end by _exit().
  bool Stop();

  // Blocks until the group has assigned partitions to this member, or none, and the broker has
  // answered the first fetch of each: from then on a new record is received at once. False after
  // the deadline. On any thread.
  bool WaitUntilReading(SteadyTime deadline) const;

  // Safe to call on any thread.
  std::vector<PartitionGauge> Gauges() const;
  bool IsAssigned(const std::string& topic, std::int32_t partition) const;

 private:
  class Impl;
  explicit GroupConsumer(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace tocsin::kafka
