#include "common/kafka/table_reader.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "common/kafka/client.h"

namespace tocsin::kafka {
namespace {

constexpr std::chrono::milliseconds kMetadataTimeout{1'000};
constexpr std::chrono::milliseconds kRetryInterval{200};

}  // namespace

class TableReader::Impl final : public Callbacks {
 public:
  Impl(std::vector<std::string> topics, Handler handler, Hooks hooks)
      : Callbacks(std::move(hooks)), topics_(std::move(topics)), handler_(std::move(handler)) {}
  ~Impl() override;

  Status Start(const KafkaSettings& settings);
  bool CaughtUp() const { return caught_up_; }
  bool WaitCaughtUp(SteadyTime deadline) const;

 private:
  void Run();
  bool AssignAll();
  bool AddPartitions(const std::string& topic, rd_kafka_topic_partition_list_t* list);
  void OnPartitionEnd(const rd_kafka_message_t& message);

  const std::vector<std::string> topics_;
  const Handler handler_;
  Client client_;
  std::set<std::string> unfinished_;  // partitions that were not read to their end yet
  std::atomic<bool> stopping_{false};
  std::atomic<bool> caught_up_{false};
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::thread thread_;
};

TableReader::Impl::~Impl() {
  stopping_ = true;
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  // Without rd_kafka_consumer_close(): there is no group to leave, and it can hang in 2.0.2.
  if (client_) rd_kafka_destroy_flags(client_.release(), RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

Status TableReader::Impl::Start(const KafkaSettings& settings) {
  ClientConf conf(settings, *this);
  conf.Set("group.id", settings.client_id + ".tables")  // required by librdkafka, never joined
      .Set("enable.auto.commit", "false")
      .Set("enable.auto.offset.store", "false")
      .Set("enable.partition.eof", "true")
      .Set("auto.offset.reset", "earliest")  // the topic was created again
      .WithFetch(kLowLatencyFetch)
      .Set("queued.min.messages", std::int64_t{10'000})
      .Set("queued.max.messages.kbytes", std::int64_t{4'096});
  TOCSIN_TRY(client_, conf.Create(RD_KAFKA_CONSUMER));
  rd_kafka_poll_set_consumer(client_.get());
  thread_ = std::thread([this] { Run(); });
  return {};
}

void TableReader::Impl::Run() {
  while (!stopping_ && !AssignAll()) rd_kafka_consumer_poll(client_.get(), ToMs(kRetryInterval));
  while (!stopping_) {
    const Message message(rd_kafka_consumer_poll(client_.get(), ToMs(kPollTimeout)));
    if (!message) continue;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
      handler_(ToRecord(*message));
    else if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
      OnPartitionEnd(*message);
    else
      Log(4, ErrorText(message->err) + ": " + rd_kafka_message_errstr(message.get()));
  }
}

bool TableReader::Impl::AssignAll() {
  const PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(topics_.size())));
  for (const std::string& topic : topics_)
    if (!AddPartitions(topic, list.get())) return false;
  for (int i = 0; i < list->cnt; ++i)
    unfinished_.insert(PartitionName(list->elems[i].topic, list->elems[i].partition));
  const auto error = rd_kafka_assign(client_.get(), list.get());
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) Log(4, "cannot assign partitions: " + ErrorText(error));
  return error == RD_KAFKA_RESP_ERR_NO_ERROR;
}

bool TableReader::Impl::AddPartitions(const std::string& topic,
                                      rd_kafka_topic_partition_list_t* list) {
  const Owned<rd_kafka_topic_t> handle(rd_kafka_topic_new(client_.get(), topic.c_str(), nullptr));
  const rd_kafka_metadata_t* raw = nullptr;
  if (!handle || rd_kafka_metadata(client_.get(), 0, handle.get(), &raw, ToMs(kMetadataTimeout)) !=
                     RD_KAFKA_RESP_ERR_NO_ERROR)
    return false;
  const Owned<const rd_kafka_metadata_t> metadata(raw);
  if (metadata->topic_cnt != 1 || metadata->topics[0].err != RD_KAFKA_RESP_ERR_NO_ERROR)
    return false;
  for (int p = 0; p < metadata->topics[0].partition_cnt; ++p)
    rd_kafka_topic_partition_list_add(list, topic.c_str(), metadata->topics[0].partitions[p].id)
        ->offset = RD_KAFKA_OFFSET_BEGINNING;
  return metadata->topics[0].partition_cnt > 0;
}

void TableReader::Impl::OnPartitionEnd(const rd_kafka_message_t& message) {
  unfinished_.erase(PartitionName(rd_kafka_topic_name(message.rkt), message.partition));
  if (!unfinished_.empty() || caught_up_) return;
  const std::lock_guard lock(mutex_);
  caught_up_ = true;
  changed_.notify_all();
}

bool TableReader::Impl::WaitCaughtUp(SteadyTime deadline) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_until(lock, deadline, [&] { return caught_up_.load(); });
}

Result<std::unique_ptr<TableReader>> TableReader::Start(const KafkaSettings& settings,
                                                        std::vector<std::string> topics,
                                                        Handler handler, Hooks hooks) {
  auto impl = std::make_unique<Impl>(std::move(topics), std::move(handler), std::move(hooks));
  TOCSIN_CHECK_OK(impl->Start(settings));
  return std::unique_ptr<TableReader>(new TableReader(std::move(impl)));
}

TableReader::TableReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TableReader::~TableReader() = default;
bool TableReader::CaughtUp() const { return impl_->CaughtUp(); }
bool TableReader::WaitCaughtUp(SteadyTime deadline) const { return impl_->WaitCaughtUp(deadline); }

}  // namespace tocsin::kafka
