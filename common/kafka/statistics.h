// The statistics of librdkafka that gauges are derived from.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tocsin::kafka {

// Not shorter: before librdkafka 2.11 a failing broker can race with the statistics. For the same
// reason nothing may depend on a single sample.
constexpr std::chrono::milliseconds kStatisticsInterval{5000};

struct PartitionStatistics {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t consumer_lag = -1;  // records behind the end of the log; -1: unknown
  std::int64_t fetch_queue = 0;    // records fetched and not polled yet
  std::int64_t in_flight = 0;      // records sent to the broker without a response
};

// Latencies are the maximum over all brokers in the last interval, in microseconds. Counters count
// since the client was created.
struct ClientStatistics {
  std::string client_id;
  std::int64_t queued = 0;       // records in the producer's queue or in flight
  std::int64_t queue_limit = 0;  // value of `queued` at which the producer refuses records
  std::int64_t reply_queue = 0;  // delivery reports and events not served yet
  std::int64_t send_errors = 0;
  std::int64_t request_timeouts = 0;
  std::int64_t round_trip_p99 = 0;
  std::int64_t in_client_p99 = 0;      // from Publish() to the request
  std::int64_t output_buffer_p99 = 0;  // from the request to the socket
  std::int64_t rebalances = 0;
  std::int64_t assigned_partitions = 0;
  std::string join_state;         // of a group member; empty without a group
  std::string idempotence_state;  // of a producer; empty for consumers
  std::vector<PartitionStatistics> partitions;
};

// Reads the JSON described in librdkafka's STATISTICS.md. Missing members keep their default.
// Returns nothing for text that is not a JSON object.
std::optional<ClientStatistics> ParseStatistics(std::string_view json);

}  // namespace tocsin::kafka
