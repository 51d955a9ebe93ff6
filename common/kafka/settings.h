// How Tocsin reaches Kafka, and what its clients tell the program around them.
#pragma once

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

// Immutable value, shared by all clients of a process.
struct KafkaSettings {
  std::string bootstrap;             // host:port[,host:port…]
  std::string client_id = "tocsin";  // shown in the broker's logs and quotas
  // This process among its replicas, the same after a restart ("sms-worker-1"): with it a quick
  // restart moves no partitions. Empty: members without a fixed name, for tools.
  std::string instance;
  std::string prefix = "tocsin";  // of topic and group names
  int replication = 1;            // of topics created by us; 3 in production
  int min_insync = 1;             // of topics created by us; 2 in production
  // librdkafka's settings for the way to the broker, passed as they are. Only names that begin with
  // "security.", "sasl.", "ssl." or "enable.ssl." are taken.
  std::map<std::string, Secret> security;
};

// Fails with kInvalidConfig, naming the setting, when one cannot be used. Opens no connection.
Status Validate(const KafkaSettings& settings);

// What a client tells. All are called on threads of the client and must not block; any may be
// empty. They must stay callable until the client is destroyed.
struct Hooks {
  std::function<void(const ClientStatistics&)> statistics;    // every kStatisticsInterval (5 s)
  std::function<void(int level, std::string_view line)> log;  // syslog levels, 3 error … 7 debug
  // The client gave up and does nothing more: a person or a restart is needed. At most once.
  std::function<void(const Error&)> failed;
  // Of a producer: a record has its report, so long after it was published. Called for each record.
  std::function<void(PublishOutcome outcome, Micros took)> reported;
};

}  // namespace tocsin::kafka
