#include "common/kafka/admin.h"

#include <array>
#include <map>
#include <thread>
#include <utility>

#include "common/base/time.h"
#include "common/kafka/client.h"

namespace tocsin::kafka {
namespace {

constexpr std::chrono::milliseconds kLookAgain{50};  // between looks at topics being made

struct DestroyAdmin {
  void operator()(rd_kafka_NewTopic_t* topic) const { rd_kafka_NewTopic_destroy(topic); }
  void operator()(rd_kafka_AdminOptions_t* options) const {
    rd_kafka_AdminOptions_destroy(options);
  }
};
using NewTopic = std::unique_ptr<rd_kafka_NewTopic_t, DestroyAdmin>;

struct TopicState {
  int partitions = 0;
  bool led = true;  // every partition has a leader
};

Result<NewTopic> Describe(const TopicSpec& spec, const KafkaSettings& settings) {
  std::array<char, 256> why{};
  NewTopic topic(rd_kafka_NewTopic_new(spec.name.c_str(), spec.partitions, settings.replication,
                                       why.data(), why.size()));
  if (!topic) return Fail(ErrorCode::kInvalidConfig, why.data(), spec.name);
  const auto set = [&](const char* name, const std::string& value) {
    rd_kafka_NewTopic_set_config(topic.get(), name, value.c_str());
  };
  set("min.insync.replicas", std::to_string(settings.min_insync));
  set("unclean.leader.election.enable", "false");
  set("compression.type", "producer");
  set("cleanup.policy", spec.compacted ? "compact" : "delete");
  if (spec.log_append_time) set("message.timestamp.type", "LogAppendTime");
  if (!spec.compacted) {
    const auto kept = std::chrono::milliseconds(spec.retention).count();
    set("retention.ms", std::to_string(kept == 0 ? -1 : kept));
  }
  return topic;
}

}  // namespace

struct Admin::Impl {
  Impl(KafkaSettings given, Hooks hooks)
      : settings(std::move(given)), callbacks(std::move(hooks)) {}

  Result<std::map<std::string, TopicState>> Look(std::chrono::milliseconds limit);
  Status Make(const std::vector<const TopicSpec*>& specs, std::chrono::milliseconds limit);

  KafkaSettings settings;
  Callbacks callbacks;
  Client client;
};

Result<std::map<std::string, TopicState>> Admin::Impl::Look(std::chrono::milliseconds limit) {
  const rd_kafka_metadata_t* raw = nullptr;
  // All topics: asking for one by name could create it.
  const auto error = rd_kafka_metadata(client.get(), 1, nullptr, &raw, ToMs(limit));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
    return Fail(ErrorCode::kKafkaUnavailable, "no metadata: " + TextOf(error));
  const Owned<const rd_kafka_metadata_t> metadata(raw);
  std::map<std::string, TopicState> topics;
  for (int i = 0; i < metadata->topic_cnt; ++i) {
    const rd_kafka_metadata_topic_t& topic = metadata->topics[i];
    TopicState& state = topics[topic.topic];
    state.partitions = topic.partition_cnt;
    for (int p = 0; p < topic.partition_cnt; ++p)
      if (topic.partitions[p].leader < 0) state.led = false;
  }
  return topics;
}

Status Admin::Impl::Make(const std::vector<const TopicSpec*>& specs,
                         std::chrono::milliseconds limit) {
  std::vector<NewTopic> topics;
  std::vector<rd_kafka_NewTopic_t*> raw;
  for (const TopicSpec* spec : specs) {
    TOCSIN_TRY(NewTopic topic, Describe(*spec, settings));
    raw.push_back(topic.get());
    topics.push_back(std::move(topic));
  }
  const std::unique_ptr<rd_kafka_AdminOptions_t, DestroyAdmin> options(
      rd_kafka_AdminOptions_new(client.get(), RD_KAFKA_ADMIN_OP_CREATETOPICS));
  std::array<char, 256> why{};
  for (const auto set :
       {&rd_kafka_AdminOptions_set_request_timeout, &rd_kafka_AdminOptions_set_operation_timeout})
    if (set(options.get(), ToMs(limit), why.data(), why.size()) != RD_KAFKA_RESP_ERR_NO_ERROR)
      return Fail(ErrorCode::kInvalidArgument, why.data());
  const Owned<rd_kafka_queue_t> answers(rd_kafka_queue_new(client.get()));
  rd_kafka_CreateTopics(client.get(), raw.data(), raw.size(), options.get(), answers.get());
  const Owned<rd_kafka_event_t> answer(rd_kafka_queue_poll(answers.get(), ToMs(limit)));
  if (!answer) return Fail(ErrorCode::kKafkaUnavailable, "no answer to the creation of topics");
  if (rd_kafka_event_error(answer.get()) != RD_KAFKA_RESP_ERR_NO_ERROR)
    return Fail(ErrorCode::kKafkaUnavailable, rd_kafka_event_error_string(answer.get()));
  size_t count = 0;
  const rd_kafka_topic_result_t** const results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(answer.get()), &count);
  for (size_t i = 0; i < count; ++i) {
    const auto error = rd_kafka_topic_result_error(results[i]);
    // Another process of ours may have been quicker.
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR || error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
      continue;
    const char* const text = rd_kafka_topic_result_error_string(results[i]);
    return Fail(ErrorCode::kInvalidConfig,
                "cannot be created: " + (text == nullptr ? TextOf(error) : std::string(text)),
                rd_kafka_topic_result_name(results[i]));
  }
  return {};
}

Result<Admin> Admin::Create(const KafkaSettings& settings, Hooks hooks) {
  auto impl = std::make_unique<Impl>(settings, std::move(hooks));
  TOCSIN_TRY(impl->client, ClientConf(settings, impl->callbacks).Make(RD_KAFKA_PRODUCER));
  return Admin(std::move(impl));
}

Admin::Admin(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Admin::Admin(Admin&&) noexcept = default;
Admin& Admin::operator=(Admin&&) noexcept = default;
Admin::~Admin() = default;

Status Admin::EnsureTopics(const std::vector<TopicSpec>& topics, std::chrono::milliseconds limit) {
  const SteadyTime deadline = std::chrono::steady_clock::now() + limit;
  bool made = false;
  while (true) {
    TOCSIN_TRY(const auto found, impl_->Look(limit));
    std::vector<const TopicSpec*> missing;
    bool led = true;
    for (const TopicSpec& topic : topics) {
      const auto state = found.find(topic.name);
      if (state == found.end()) {
        missing.push_back(&topic);
        continue;
      }
      if (state->second.partitions != topic.partitions)
        return Fail(ErrorCode::kInvalidConfig,
                    "has " + std::to_string(state->second.partitions) + " partitions, not " +
                        std::to_string(topic.partitions),
                    topic.name);
      led = led && state->second.led;
    }
    if (missing.empty() && led) return {};
    if (!missing.empty() && !made) {
      TOCSIN_CHECK_OK(impl_->Make(missing, limit));
      made = true;
    }
    if (std::chrono::steady_clock::now() >= deadline)
      return Fail(ErrorCode::kKafkaUnavailable,
                  missing.empty() ? "a partition has no leader"
                                  : "topic " + missing.front()->name + " does not appear");
    std::this_thread::sleep_for(kLookAgain);
  }
}

Result<int> Admin::Partitions(const std::string& topic, std::chrono::milliseconds limit) {
  TOCSIN_TRY(const auto found, impl_->Look(limit));
  const auto state = found.find(topic);
  if (state == found.end()) return Fail(ErrorCode::kNotFound, "topic " + topic + " does not exist");
  return state->second.partitions;
}

Result<std::string> Admin::ClusterId(std::chrono::milliseconds limit) {
  char* const id = rd_kafka_clusterid(impl_->client.get(), ToMs(limit));
  if (id == nullptr) return Fail(ErrorCode::kKafkaUnavailable, "the cluster did not tell its id");
  std::string text = id;
  rd_kafka_mem_free(impl_->client.get(), id);
  return text;
}

}  // namespace tocsin::kafka
