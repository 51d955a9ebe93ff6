// Settings and hooks that all Kafka clients of a process share.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "common/base/error.h"
#include "common/base/result.h"
#include "common/base/secret.h"
#include "common/base/time.h"
#include "common/kafka/statistics.h"
#include "common/ports/record_log.h"

namespace tocsin::kafka {

// Immutable value.
struct KafkaSettings {
  std::string bootstrap_servers;     // host:port[,host:port…]
  std::string client_id = "tocsin";  // appears in the broker's logs and quotas
  // group.instance.id: the name of this replica, the same after a restart ("sms-worker-1"). With it
  // a restart within the session timeout triggers no rebalance. Empty: dynamic members, for tools.
  std::string group_instance_id;
  std::string prefix = "tocsin";  // of topic and group names
  int replication_factor = 1;     // of topics that EnsureTopics() creates; 3 in production
  int min_insync_replicas = 1;    // of topics that EnsureTopics() creates; 2 in production
  // Properties of librdkafka for the connection to the brokers, passed unchanged. Only names with
  // the prefix "security.", "sasl.", "ssl." or "enable.ssl." are allowed.
  std::map<std::string, Secret> security;
};

// Fails with kInvalidConfig, naming the property, if librdkafka would refuse one. Opens no
// connection.
Status Validate(const KafkaSettings& settings);

// When the broker answers a consumer's fetch request: as soon as it has `min_bytes` of new records
// (fetch.min.bytes), or after `max_wait` (fetch.wait.max.ms) with what it has. A partition that is
// resumed, sought or assigned waits for the answer to the current request, for `max_wait` at most.
struct FetchProfile {
  std::int64_t min_bytes = 1;
  std::chrono::milliseconds max_wait{100};
};
// Each record at once: for records that are waited for. A topic with N records per second costs the
// broker up to N requests per second and reader.
constexpr FetchProfile kLowLatencyFetch{};
// In portions: for records that may wait a quarter of a second. A reader costs the broker four
// requests per second until the records are more than the minimum.
constexpr FetchProfile kThroughputFetch{.min_bytes = 64LL * 1024,
                                        .max_wait = std::chrono::milliseconds(250)};

// Called on threads of the client; must not block. Each may be empty, and must stay callable until
// the client is destroyed.
struct Hooks {
  std::function<void(const ClientStatistics&)> statistics;    // every kStatisticsInterval (5 s)
  std::function<void(int level, std::string_view line)> log;  // syslog levels: 3 error … 7 debug
  // The client stopped and does not recover: it needs a restart or an operator. At most once.
  std::function<void(const Error&)> fatal;
  // A producer got the delivery report of a record, `latency` after Publish().
  std::function<void(PublishOutcome outcome, Micros latency)> delivery_report;
};

}  // namespace tocsin::kafka
