#include "common/kafka/statistics.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace tocsin::kafka {
namespace {

using Json = nlohmann::json;

// The member `name` of `object`, or an empty object: librdkafka leaves out what a client does not
// have.
const Json& Part(const Json& object, const char* name) {
  static const Json kNothing = Json::object();
  const auto found = object.find(name);
  return found != object.end() && found->is_object() ? *found : kNothing;
}

std::int64_t Number(const Json& object, const char* name, std::int64_t otherwise = 0) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number() ? found->get<std::int64_t>() : otherwise;
}

std::string Text(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

void ReadBroker(const Json& broker, ClientStatistics& statistics) {
  statistics.send_errors += Number(broker, "txerrs");
  statistics.request_timeouts += Number(broker, "req_timeouts");
  const auto worst = [&](std::int64_t& value, const char* window) {
    value = std::max(value, Number(Part(broker, window), "p99"));
  };
  worst(statistics.round_trip_p99, "rtt");
  worst(statistics.in_client_p99, "int_latency");
  worst(statistics.output_buffer_p99, "outbuf_latency");
}

void ReadTopic(const std::string& name, const Json& topic, ClientStatistics& statistics) {
  for (const auto& [key, partition] : Part(topic, "partitions").items()) {
    const std::int64_t number = Number(partition, "partition", -1);
    if (number < 0) continue;  // librdkafka's own partition for records not yet assigned to one
    statistics.partitions.push_back({.topic = name,
                                     .partition = static_cast<std::int32_t>(number),
                                     .consumer_lag = Number(partition, "consumer_lag", -1),
                                     .fetch_queue = Number(partition, "fetchq_cnt"),
                                     .in_flight = Number(partition, "msgs_inflight")});
  }
}

}  // namespace

std::optional<ClientStatistics> ParseStatistics(std::string_view json) {
  const Json root = Json::parse(json, nullptr, false);
  if (!root.is_object()) return std::nullopt;
  ClientStatistics statistics;
  statistics.client = Text(root, "client_id");
  statistics.queued = Number(root, "msg_cnt");
  statistics.queue_limit = Number(root, "msg_max");
  statistics.reply_queue = Number(root, "replyq");
  for (const auto& [name, broker] : Part(root, "brokers").items()) ReadBroker(broker, statistics);
  for (const auto& [name, topic] : Part(root, "topics").items()) ReadTopic(name, topic, statistics);
  const Json& group = Part(root, "cgrp");
  statistics.rebalances = Number(group, "rebalance_cnt");
  statistics.assigned = Number(group, "assignment_size");
  statistics.join_state = Text(group, "join_state");
  statistics.idempotence_state = Text(Part(root, "eos"), "idemp_state");
  return statistics;
}

}  // namespace tocsin::kafka
