#include "common/kafka/statistics.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace tocsin::kafka {
namespace {

using Json = nlohmann::json;

// The member `name` of `object`; an empty object if it is missing, as it depends on the client's
// type.
const Json& Member(const Json& object, const char* name) {
  static const Json kEmpty = Json::object();
  const auto found = object.find(name);
  return found != object.end() && found->is_object() ? *found : kEmpty;
}

std::int64_t Integer(const Json& object, const char* name, std::int64_t fallback = 0) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number() ? found->get<std::int64_t>() : fallback;
}

std::string Text(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

void ReadBroker(const Json& broker, ClientStatistics& statistics) {
  statistics.send_errors += Integer(broker, "txerrs");
  statistics.request_timeouts += Integer(broker, "req_timeouts");
  const auto raise = [&](std::int64_t& value, const char* window) {
    value = std::max(value, Integer(Member(broker, window), "p99"));
  };
  raise(statistics.round_trip_p99, "rtt");
  raise(statistics.in_client_p99, "int_latency");
  raise(statistics.output_buffer_p99, "outbuf_latency");
}

void ReadTopic(const std::string& name, const Json& topic, ClientStatistics& statistics) {
  for (const auto& [key, partition] : Member(topic, "partitions").items()) {
    const std::int64_t number = Integer(partition, "partition", -1);
    if (number < 0) continue;  // internal: records without a partition yet
    statistics.partitions.push_back({.topic = name,
                                     .partition = static_cast<std::int32_t>(number),
                                     .consumer_lag = Integer(partition, "consumer_lag", -1),
                                     .fetch_queue = Integer(partition, "fetchq_cnt"),
                                     .in_flight = Integer(partition, "msgs_inflight")});
  }
}

}  // namespace

std::optional<ClientStatistics> ParseStatistics(std::string_view json) {
  const Json root = Json::parse(json, nullptr, false);
  if (!root.is_object()) return std::nullopt;
  ClientStatistics statistics;
  statistics.client_id = Text(root, "client_id");
  statistics.queued = Integer(root, "msg_cnt");
  statistics.queue_limit = Integer(root, "msg_max");
  statistics.reply_queue = Integer(root, "replyq");
  for (const auto& [name, broker] : Member(root, "brokers").items()) ReadBroker(broker, statistics);
  for (const auto& [name, topic] : Member(root, "topics").items())
    ReadTopic(name, topic, statistics);
  const Json& group = Member(root, "cgrp");
  statistics.rebalances = Integer(group, "rebalance_cnt");
  statistics.assigned_partitions = Integer(group, "assignment_size");
  statistics.join_state = Text(group, "join_state");
  statistics.idempotence_state = Text(Member(root, "eos"), "idemp_state");
  return statistics;
}

}  // namespace tocsin::kafka
