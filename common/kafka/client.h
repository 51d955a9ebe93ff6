// What the clients of this folder share over librdkafka's C API. Included by sources of
// common/kafka only: rdkafka.h stays out of the headers that others include.
#pragma once

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/kafka/settings.h"
#include "common/ports/record_log.h"

namespace tocsin::kafka {

constexpr std::chrono::milliseconds kPollTimeout{100};  // of threads that poll in a loop
// Limits of one fetch response: librdkafka's defaults (1 MiB per partition, 50 MiB) are the memory
// of a whole service. A batch above a partition's limit is fetched alone, one partition at a time,
// so batches are much smaller.
constexpr std::int64_t kPartitionFetchBytes = 64LL * 1024;
constexpr std::int64_t kFetchBytes = 1LL * 1024 * 1024;
constexpr std::int64_t kBatchBytes = 48LL * 1024;

struct Destroy {
  void operator()(rd_kafka_conf_t* conf) const { rd_kafka_conf_destroy(conf); }
  void operator()(rd_kafka_t* client) const { rd_kafka_destroy(client); }
  void operator()(rd_kafka_topic_t* topic) const { rd_kafka_topic_destroy(topic); }
  void operator()(rd_kafka_queue_t* queue) const { rd_kafka_queue_destroy(queue); }
  void operator()(rd_kafka_event_t* event) const { rd_kafka_event_destroy(event); }
  void operator()(rd_kafka_message_t* message) const { rd_kafka_message_destroy(message); }
  void operator()(rd_kafka_topic_partition_list_t* list) const {
    rd_kafka_topic_partition_list_destroy(list);
  }
  void operator()(const rd_kafka_metadata_t* metadata) const {
    rd_kafka_metadata_destroy(metadata);
  }
  void operator()(rd_kafka_error_t* error) const { rd_kafka_error_destroy(error); }
};
template <typename T>
using Owned = std::unique_ptr<T, Destroy>;

using Client = Owned<rd_kafka_t>;
using Message = Owned<rd_kafka_message_t>;
using PartitionList = Owned<rd_kafka_topic_partition_list_t>;

// Callbacks of librdkafka, on the thread that polls. The object outlives its client.
class Callbacks {
 public:
  explicit Callbacks(Hooks hooks) : hooks_(std::move(hooks)) {}
  virtual ~Callbacks() = default;

  virtual void OnError(rd_kafka_resp_err_t error, const char* reason);
  virtual void OnDeliveryReport(const rd_kafka_message_t& /*message*/) {}
  virtual void OnRebalance(rd_kafka_t* /*client*/, rd_kafka_resp_err_t /*event*/,
                           rd_kafka_topic_partition_list_t* /*partitions*/) {}
  virtual void OnOffsetCommit(rd_kafka_resp_err_t /*error*/,
                              const rd_kafka_topic_partition_list_t* /*offsets*/) {}

  void Log(int level, std::string_view line) const;
  const Hooks& GetHooks() const { return hooks_; }

 private:
  Hooks hooks_;
};

// Collects the configuration of a client. The first error is kept and returned by Create().
class ClientConf {
 public:
  // Sets brokers, security, socket timeouts and the callbacks that all clients have.
  ClientConf(const KafkaSettings& settings, Callbacks& callbacks);

  ClientConf& Set(const char* name, const std::string& value);
  ClientConf& Set(const char* name, std::chrono::milliseconds value);
  ClientConf& Set(const char* name, std::int64_t value) { return Set(name, std::to_string(value)); }
  // Of a consumer: when the broker answers a fetch request, and the limits of the response.
  ClientConf& WithFetch(const FetchProfile& profile);
  ClientConf& WithDeliveryReports();  // OnDeliveryReport
  ClientConf& WithRebalance();        // OnRebalance and OnOffsetCommit

  // Fails with kInvalidConfig.
  Result<Client> Create(rd_kafka_type_t type);

 private:
  Owned<rd_kafka_conf_t> conf_;
  Status status_;
};

inline int ToMs(std::chrono::milliseconds value) { return static_cast<int>(value.count()); }
std::string ErrorText(rd_kafka_resp_err_t error);
IncomingRecord ToRecord(const rd_kafka_message_t& message);

// "topic[3]", for logs and errors.
std::string PartitionName(std::string_view topic, std::int32_t partition);

// Commits and waits for the response, for `timeout` at most. Safe to call on any thread.
rd_kafka_resp_err_t CommitAndWait(rd_kafka_t* client,
                                  const rd_kafka_topic_partition_list_t* offsets,
                                  std::chrono::milliseconds timeout);

}  // namespace tocsin::kafka
