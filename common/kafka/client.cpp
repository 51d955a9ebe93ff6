#include "common/kafka/client.h"

#include <array>

namespace tocsin::kafka {
namespace {

Callbacks& CallbacksOf(void* opaque) { return *static_cast<Callbacks*>(opaque); }

void OnLog(const rd_kafka_t* client, int level, const char* facility, const char* line) {
  const auto* callbacks = static_cast<Callbacks*>(rd_kafka_opaque(client));
  // Null for lines that are logged before rd_kafka_new() returns.
  if (callbacks != nullptr) callbacks->Log(level, std::string(facility) + ": " + line);
}

int OnStatistics(rd_kafka_t*, char* json, size_t size, void* opaque) {
  const Callbacks& callbacks = CallbacksOf(opaque);
  if (!callbacks.GetHooks().statistics) return 0;
  if (const auto statistics = ParseStatistics({json, size}))
    callbacks.GetHooks().statistics(*statistics);
  return 0;  // librdkafka frees the text
}

bool IsSecurityProperty(std::string_view name) {
  for (const std::string_view prefix : {"security.", "sasl.", "ssl.", "enable.ssl."})
    if (name.starts_with(prefix)) return true;
  return false;
}

}  // namespace

void Callbacks::OnError(rd_kafka_resp_err_t error, const char* reason) {
  Log(4, ErrorText(error) + ": " + reason);
}

void Callbacks::Log(int level, std::string_view line) const {
  if (hooks_.log) hooks_.log(level, line);
}

ClientConf::ClientConf(const KafkaSettings& settings, Callbacks& callbacks)
    : conf_(rd_kafka_conf_new()) {
  for (const auto& [name, value] : settings.security) {
    if (!IsSecurityProperty(name) && status_)
      status_ = Fail(ErrorCode::kInvalidConfig, "is not a security property", name);
    Set(name.c_str(), value.Reveal());
  }
  Set("bootstrap.servers", settings.bootstrap_servers);
  Set("client.id", settings.client_id);
  Set("socket.timeout.ms", std::chrono::milliseconds(3000));
  Set("socket.keepalive.enable", "true");
  Set("socket.nagle.disable", "true");
  Set("reconnect.backoff.max.ms", std::chrono::milliseconds(1000));
  Set("statistics.interval.ms", kStatisticsInterval);
  rd_kafka_conf_set_opaque(conf_.get(), &callbacks);
  rd_kafka_conf_set_log_cb(conf_.get(), &OnLog);
  rd_kafka_conf_set_stats_cb(conf_.get(), &OnStatistics);
  rd_kafka_conf_set_error_cb(
      conf_.get(), [](rd_kafka_t*, int error, const char* reason, void* opaque) {
        CallbacksOf(opaque).OnError(static_cast<rd_kafka_resp_err_t>(error), reason);
      });
}

ClientConf& ClientConf::Set(const char* name, const std::string& value) {
  std::array<char, 512> error{};
  if (rd_kafka_conf_set(conf_.get(), name, value.c_str(), error.data(), error.size()) !=
          RD_KAFKA_CONF_OK &&
      status_) {
    // Not librdkafka's text: it contains the value, which may be a password.
    status_ = Fail(ErrorCode::kInvalidConfig, "rejected by librdkafka", name);
  }
  return *this;
}

ClientConf& ClientConf::Set(const char* name, std::chrono::milliseconds value) {
  return Set(name, std::to_string(value.count()));
}

ClientConf& ClientConf::WithFetch(const FetchProfile& profile) {
  return Set("fetch.min.bytes", profile.min_bytes)
      .Set("fetch.wait.max.ms", profile.max_wait)
      .Set("fetch.message.max.bytes", kPartitionFetchBytes)
      .Set("fetch.max.bytes", kFetchBytes);
}

ClientConf& ClientConf::WithDeliveryReports() {
  rd_kafka_conf_set_dr_msg_cb(conf_.get(),
                              [](rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
                                CallbacksOf(opaque).OnDeliveryReport(*message);
                              });
  return *this;
}

ClientConf& ClientConf::WithRebalance() {
  rd_kafka_conf_set_rebalance_cb(
      conf_.get(),
      [](rd_kafka_t* client, rd_kafka_resp_err_t event, rd_kafka_topic_partition_list_t* partitions,
         void* opaque) { CallbacksOf(opaque).OnRebalance(client, event, partitions); });
  rd_kafka_conf_set_offset_commit_cb(
      conf_.get(),
      [](rd_kafka_t*, rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t* offsets,
         void* opaque) { CallbacksOf(opaque).OnOffsetCommit(error, offsets); });
  return *this;
}

Result<Client> ClientConf::Create(rd_kafka_type_t type) {
  if (!status_) return Fail(status_.error());
  std::array<char, 512> error{};
  rd_kafka_t* const client = rd_kafka_new(type, conf_.get(), error.data(), error.size());
  if (client == nullptr) return Fail(ErrorCode::kInvalidConfig, error.data(), "kafka");
  static_cast<void>(conf_.release());  // the client owns it now
  return Client(client);
}

Status Validate(const KafkaSettings& settings) {
  if (settings.bootstrap_servers.empty())
    return Fail(ErrorCode::kInvalidConfig, "no broker given", "bootstrap.servers");
  Callbacks callbacks{Hooks{}};
  TOCSIN_TRY(const Client client, ClientConf(settings, callbacks).Create(RD_KAFKA_PRODUCER));
  return {};
}

std::string ErrorText(rd_kafka_resp_err_t error) {
  return std::string(rd_kafka_err2name(error)) + " (" + rd_kafka_err2str(error) + ")";
}

IncomingRecord ToRecord(const rd_kafka_message_t& message) {
  IncomingRecord record;
  record.position.set_topic(rd_kafka_topic_name(message.rkt));
  record.position.set_partition(message.partition);
  record.position.set_offset(message.offset);
  if (message.key != nullptr)
    record.key.assign(static_cast<const char*>(message.key), message.key_len);
  if (message.payload != nullptr)
    record.value.assign(static_cast<const char*>(message.payload), message.len);
  const std::int64_t time_ms = rd_kafka_message_timestamp(&message, nullptr);
  if (time_ms >= 0) record.append_time = WallTime(std::chrono::milliseconds(time_ms));
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return record;
  const char* name = nullptr;
  const void* value = nullptr;
  size_t size = 0;
  for (size_t i = 0;
       rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
       ++i) {
    record.headers.emplace_back(name, value == nullptr
                                          ? std::string()
                                          : std::string(static_cast<const char*>(value), size));
  }
  return record;
}

std::string PartitionName(std::string_view topic, std::int32_t partition) {
  return std::string(topic) + "[" + std::to_string(partition) + "]";
}

rd_kafka_resp_err_t CommitAndWait(rd_kafka_t* client,
                                  const rd_kafka_topic_partition_list_t* offsets,
                                  std::chrono::milliseconds timeout) {
  // rd_kafka_commit() has no timeout: it blocks while the group coordinator is unavailable.
  const Owned<rd_kafka_queue_t> queue(rd_kafka_queue_new(client));
  const auto error = rd_kafka_commit_queue(client, offsets, queue.get(), nullptr, nullptr);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return error;
  const Owned<rd_kafka_event_t> response(rd_kafka_queue_poll(queue.get(), ToMs(timeout)));
  return response ? rd_kafka_event_error(response.get()) : RD_KAFKA_RESP_ERR__TIMED_OUT;
}

}  // namespace tocsin::kafka
