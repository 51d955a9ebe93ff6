// What librdkafka counts of itself, as far as gauges are made of it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tocsin::kafka {

// Not shorter: before librdkafka 2.11 a failing broker can race with the statistics. For the same
// reason nobody may act on one odd sample.
constexpr std::chrono::milliseconds kStatisticsInterval{5000};

struct PartitionStatistics {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t consumer_lag = -1;  // records behind the end, by commit; -1: not known
  std::int64_t fetch_queue = 0;    // records fetched and not yet polled
  std::int64_t in_flight = 0;      // records sent to the broker and not yet answered
};

// Times are the worst of all brokers, in microseconds, over the last interval.
struct ClientStatistics {
  std::string client;
  std::int64_t queued = 0;            // records waiting in the producer, those in flight included
  std::int64_t queue_limit = 0;       // and the limit that makes it refuse more
  std::int64_t reply_queue = 0;       // reports and events not yet served
  std::int64_t send_errors = 0;       // since start
  std::int64_t request_timeouts = 0;  // since start
  std::int64_t round_trip_p99 = 0;
  std::int64_t in_client_p99 = 0;      // from publish to the request
  std::int64_t output_buffer_p99 = 0;  // from the request to the socket
  std::int64_t rebalances = 0;         // since start
  std::int64_t assigned = 0;           // partitions
  std::string join_state;              // of a group's member; empty without a group
  std::string idempotence_state;       // of a producer; empty for others
  std::vector<PartitionStatistics> partitions;
};

// Reads librdkafka's STATISTICS.md JSON; what it does not hold stays at its default. Nothing when
// it is not JSON.
std::optional<ClientStatistics> ParseStatistics(std::string_view json);

}  // namespace tocsin::kafka
