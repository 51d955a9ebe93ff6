#include "common/kafka/admin.h"

#include <array>
#include <map>
#include <thread>
#include <utility>

#include "common/base/time.h"
#include "common/kafka/client.h"

namespace tocsin::kafka {
namespace {

constexpr std::chrono::milliseconds kPollInterval{50};  // while topics are being created

struct DestroyAdmin {
  void operator()(rd_kafka_NewTopic_t* topic) const { rd_kafka_NewTopic_destroy(topic); }
  void operator()(rd_kafka_AdminOptions_t* options) const {
    rd_kafka_AdminOptions_destroy(options);
  }
};
using NewTopic = std::unique_ptr<rd_kafka_NewTopic_t, DestroyAdmin>;

struct TopicState {
  int partitions = 0;
  bool has_leaders = true;  // for each partition
};

Result<NewTopic> MakeNewTopic(const TopicSpec& spec, const KafkaSettings& settings) {
  std::array<char, 256> error{};
  NewTopic topic(rd_kafka_NewTopic_new(spec.name.c_str(), spec.partitions,
                                       settings.replication_factor, error.data(), error.size()));
  if (!topic) return Fail(ErrorCode::kInvalidConfig, error.data(), spec.name);
  const auto set = [&](const char* name, const std::string& value) {
    rd_kafka_NewTopic_set_config(topic.get(), name, value.c_str());
  };
  set("min.insync.replicas", std::to_string(settings.min_insync_replicas));
  set("unclean.leader.election.enable", "false");
  set("compression.type", "producer");
  set("cleanup.policy", spec.compacted ? "compact" : "delete");
  if (spec.log_append_time) set("message.timestamp.type", "LogAppendTime");
  if (!spec.compacted) {
    const auto retention = std::chrono::milliseconds(spec.retention).count();
    set("retention.ms", std::to_string(retention == 0 ? -1 : retention));
  }
  return topic;
}

}  // namespace

struct Admin::Impl {
  Impl(KafkaSettings given, Hooks hooks)
      : settings(std::move(given)), callbacks(std::move(hooks)) {}

  Result<std::map<std::string, TopicState>> Describe(std::chrono::milliseconds timeout);
  Status CreateTopics(const std::vector<const TopicSpec*>& specs,
                      std::chrono::milliseconds timeout);

  KafkaSettings settings;
  Callbacks callbacks;
  Client client;
};

Result<std::map<std::string, TopicState>> Admin::Impl::Describe(std::chrono::milliseconds timeout) {
  const rd_kafka_metadata_t* raw = nullptr;
  // All topics: a request for one by name could create it.
  const auto error = rd_kafka_metadata(client.get(), 1, nullptr, &raw, ToMs(timeout));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
    return Fail(ErrorCode::kKafkaUnavailable, "no metadata: " + ErrorText(error));
  const Owned<const rd_kafka_metadata_t> metadata(raw);
  std::map<std::string, TopicState> topics;
  for (int i = 0; i < metadata->topic_cnt; ++i) {
    const rd_kafka_metadata_topic_t& topic = metadata->topics[i];
    TopicState& state = topics[topic.topic];
    state.partitions = topic.partition_cnt;
    for (int p = 0; p < topic.partition_cnt; ++p)
      if (topic.partitions[p].leader < 0) state.has_leaders = false;
  }
  return topics;
}

Status Admin::Impl::CreateTopics(const std::vector<const TopicSpec*>& specs,
                                 std::chrono::milliseconds timeout) {
  std::vector<NewTopic> topics;
  std::vector<rd_kafka_NewTopic_t*> raw;
  for (const TopicSpec* spec : specs) {
    TOCSIN_TRY(NewTopic topic, MakeNewTopic(*spec, settings));
    raw.push_back(topic.get());
    topics.push_back(std::move(topic));
  }
  const std::unique_ptr<rd_kafka_AdminOptions_t, DestroyAdmin> options(
      rd_kafka_AdminOptions_new(client.get(), RD_KAFKA_ADMIN_OP_CREATETOPICS));
  std::array<char, 256> text{};
  for (const auto set :
       {&rd_kafka_AdminOptions_set_request_timeout, &rd_kafka_AdminOptions_set_operation_timeout})
    if (set(options.get(), ToMs(timeout), text.data(), text.size()) != RD_KAFKA_RESP_ERR_NO_ERROR)
      return Fail(ErrorCode::kInvalidArgument, text.data());
  const Owned<rd_kafka_queue_t> queue(rd_kafka_queue_new(client.get()));
  rd_kafka_CreateTopics(client.get(), raw.data(), raw.size(), options.get(), queue.get());
  const Owned<rd_kafka_event_t> response(rd_kafka_queue_poll(queue.get(), ToMs(timeout)));
  if (!response) return Fail(ErrorCode::kKafkaUnavailable, "no response to CreateTopics");
  if (rd_kafka_event_error(response.get()) != RD_KAFKA_RESP_ERR_NO_ERROR)
    return Fail(ErrorCode::kKafkaUnavailable, rd_kafka_event_error_string(response.get()));
  size_t count = 0;
  const rd_kafka_topic_result_t** const results = rd_kafka_CreateTopics_result_topics(
      rd_kafka_event_CreateTopics_result(response.get()), &count);
  for (size_t i = 0; i < count; ++i) {
    const auto error = rd_kafka_topic_result_error(results[i]);
    // Another process may create them at the same time.
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR || error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
      continue;
    const char* const reason = rd_kafka_topic_result_error_string(results[i]);
    return Fail(ErrorCode::kInvalidConfig,
                "topic not created: " + (reason == nullptr ? ErrorText(error) : reason),
                rd_kafka_topic_result_name(results[i]));
  }
  return {};
}

Result<Admin> Admin::Create(const KafkaSettings& settings, Hooks hooks) {
  auto impl = std::make_unique<Impl>(settings, std::move(hooks));
  TOCSIN_TRY(impl->client, ClientConf(settings, impl->callbacks).Create(RD_KAFKA_PRODUCER));
  return Admin(std::move(impl));
}

Admin::Admin(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Admin::Admin(Admin&&) noexcept = default;
Admin& Admin::operator=(Admin&&) noexcept = default;
Admin::~Admin() = default;

Status Admin::EnsureTopics(const std::vector<TopicSpec>& topics,
                           std::chrono::milliseconds timeout) {
  const SteadyTime deadline = std::chrono::steady_clock::now() + timeout;
  bool created = false;
  while (true) {
    TOCSIN_TRY(const auto existing, impl_->Describe(timeout));
    std::vector<const TopicSpec*> missing;
    bool has_leaders = true;
    for (const TopicSpec& topic : topics) {
      const auto state = existing.find(topic.name);
      if (state == existing.end()) {
        missing.push_back(&topic);
        continue;
      }
      if (state->second.partitions != topic.partitions)
        return Fail(ErrorCode::kInvalidConfig,
                    "has " + std::to_string(state->second.partitions) + " partitions, not " +
                        std::to_string(topic.partitions),
                    topic.name);
      has_leaders = has_leaders && state->second.has_leaders;
    }
    if (missing.empty() && has_leaders) return {};
    if (!missing.empty() && !created) {
      TOCSIN_CHECK_OK(impl_->CreateTopics(missing, timeout));
      created = true;
    }
    if (std::chrono::steady_clock::now() >= deadline)
      return Fail(ErrorCode::kKafkaUnavailable,
                  missing.empty()
                      ? "a partition has no leader"
                      : "topic " + missing.front()->name + " is missing after CreateTopics");
    std::this_thread::sleep_for(kPollInterval);
  }
}

Result<std::string> Admin::ClusterId(std::chrono::milliseconds timeout) {
  char* const id = rd_kafka_clusterid(impl_->client.get(), ToMs(timeout));
  if (id == nullptr) return Fail(ErrorCode::kKafkaUnavailable, "no cluster id");
  std::string text = id;
  rd_kafka_mem_free(impl_->client.get(), id);
  return text;
}

}  // namespace tocsin::kafka
