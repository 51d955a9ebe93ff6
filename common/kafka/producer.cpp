#include "common/kafka/producer.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <unordered_map>
#include <utility>

#include "common/base/digest.h"
#include "common/base/time.h"
#include "common/kafka/client.h"
#include "common/kafka/partitioner.h"
#include "common/ports/topics.h"

namespace tocsin::kafka {
namespace {

constexpr std::chrono::milliseconds kPurgeTimeout{2000};  // for the reports of purged records

using Report = std::function<void(const PublishReport&)>;

// A record without a report. librdkafka reads key and value from it, without copying them.
struct Pending {
  OutgoingRecord record;
  Report report;
  std::uint64_t sequence = 0;  // order of publishing
  SteadyTime publish_time;
};
using PendingPtr = std::unique_ptr<Pending>;

struct Refused {
  PendingPtr pending;
  rd_kafka_resp_err_t error;
};

// The broker acknowledges a record with its offset. Without one, librdkafka has concluded from the
// acknowledgement of a later batch that the record was written before, even if the broker had
// refused it. But a broker that has no state of a producer accepts any sequence number (KIP-360).
bool IsAcknowledged(const rd_kafka_message_t& message) {
  return message.err == RD_KAFKA_RESP_ERR_NO_ERROR && message.offset >= 0;
}

PublishOutcome OutcomeOf(const rd_kafka_message_t& message) {
  if (IsAcknowledged(message)) return PublishOutcome::kPersisted;
  switch (rd_kafka_message_status(&message)) {
    case RD_KAFKA_MSG_STATUS_NOT_PERSISTED: return PublishOutcome::kNotPersisted;
    case RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED:
    case RD_KAFKA_MSG_STATUS_PERSISTED: return PublishOutcome::kUnknown;
  }
  return PublishOutcome::kUnknown;
}

rd_kafka_headers_t* ToHeaders(const RecordHeaders& headers) {
  rd_kafka_headers_t* const list = rd_kafka_headers_new(headers.size());
  for (const auto& [name, value] : headers)
    rd_kafka_header_add(list, name.data(), static_cast<ssize_t>(name.size()), value.data(),
                        static_cast<ssize_t>(value.size()));
  return list;
}

std::uint32_t FirstPartition() {
  std::uint32_t first = 0;
  RandomBytes(sizeof first).copy(reinterpret_cast<char*>(&first), sizeof first);
  return first;
}

// A partitioner of librdkafka. A partition without a leader would delay the records.
std::int32_t SelectBySlot(const rd_kafka_topic_t* topic, const void*, size_t, std::int32_t count,
                          void*, void*) {
  static const std::uint32_t first = FirstPartition();
  const std::int32_t selected = PartitionOfSlot(std::chrono::steady_clock::now(), first, count);
  for (std::int32_t i = 0; i < count; ++i)
    if (const std::int32_t next = (selected + i) % count;
        rd_kafka_topic_partition_available(topic, next) != 0)
      return next;
  return selected;
}

std::string LingerText(std::chrono::microseconds linger) {  // in ms, with a fraction
  return std::to_string(static_cast<double>(linger.count()) / 1000.0);
}

}  // namespace

class Producer::Impl final : public Callbacks {
 public:
  Impl(KafkaSettings settings, const ProducerProfile& profile, Hooks hooks)
      : Callbacks(std::move(hooks)),
        settings_(std::move(settings)),
        names_(settings_.prefix),
        profile_(profile) {}
  ~Impl() override;

  Status Start();
  void Publish(PendingPtr pending);
  Status FetchMetadata(const std::vector<std::string>& topics, std::chrono::milliseconds timeout);
  Status Flush(std::chrono::milliseconds timeout);
  size_t InFlight() const { return in_flight_.load(); }

  void OnError(rd_kafka_resp_err_t error, const char* reason) override;
  void OnDeliveryReport(const rd_kafka_message_t& message) override;

 private:
  Result<Client> CreateClient();
  void Poll();
  void ReplaceClient();
  void PollUntilEmpty(std::chrono::milliseconds timeout);
  rd_kafka_resp_err_t Produce(PendingPtr& pending, rd_kafka_topic_t* topic);  // under mutex_
  rd_kafka_resp_err_t PublishOrBuffer(PendingPtr& pending);
  rd_kafka_topic_t* TopicHandle(const std::string& name);  // under mutex_, exclusive
  std::vector<Refused> Republish();                        // under mutex_, exclusive
  void Complete(PendingPtr pending, const PublishReport& report);
  void Refuse(Refused refused);

  const KafkaSettings settings_;
  const Topics names_;
  const ProducerProfile profile_;

  // Shared: use client_. Exclusive: change client_, topics_, replacing_, buffered_.
  std::shared_mutex mutex_;
  std::mutex replace_mutex_;  // locked before mutex_; prevents that client_ is replaced
  Client client_;
  std::unordered_map<std::string, Owned<rd_kafka_topic_t>> topics_;  // few, and only our own
  bool replacing_ = false;
  std::vector<PendingPtr> buffered_;  // published while client_ is replaced; at most max_records

  std::vector<PendingPtr> unwritten_;  // polling thread only: the failed client did not write them
  std::atomic<bool> fatal_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> sequence_{0};
  std::atomic<size_t> in_flight_{0};
  std::mutex idle_mutex_;
  std::condition_variable idle_;  // in_flight_ became 0
  std::thread poll_thread_;
};

Status Producer::Impl::Start() {
  TOCSIN_TRY(client_, CreateClient());
  poll_thread_ = std::thread([this] { Poll(); });
  return {};
}

Result<Client> Producer::Impl::CreateClient() {
  ClientConf conf(settings_, *this);
  conf.Set("acks", "all")
      .Set("enable.idempotence", "true")
      .Set("partitioner", "murmur2")
      .Set("linger.ms", LingerText(profile_.linger))
      .Set("delivery.timeout.ms", profile_.delivery_timeout)
      .Set("request.timeout.ms", std::chrono::milliseconds(2000))
      .Set("batch.size", kBatchBytes)
      .Set("compression.type", "lz4")
      .Set("queue.buffering.max.messages", profile_.max_records)
      .Set("queue.buffering.max.kbytes", profile_.max_kbytes)
      .WithDeliveryReports();
  return conf.Create(RD_KAFKA_PRODUCER);
}

Producer::Impl::~Impl() {
  if (!client_) return;
  if (!Flush(profile_.delivery_timeout + std::chrono::seconds(1)))
    Log(4, "closed with records without a delivery report");
  stopping_ = true;
  if (poll_thread_.joinable()) poll_thread_.join();
  rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  PollUntilEmpty(kPurgeTimeout);
  for (PendingPtr& pending : unwritten_) Refuse({std::move(pending), RD_KAFKA_RESP_ERR__DESTROY});
  for (PendingPtr& pending : buffered_) Refuse({std::move(pending), RD_KAFKA_RESP_ERR__DESTROY});
  topics_.clear();
}

void Producer::Impl::Publish(PendingPtr pending) {
  pending->sequence = sequence_.fetch_add(1, std::memory_order_relaxed);
  pending->publish_time = std::chrono::steady_clock::now();
  in_flight_.fetch_add(1);
  auto error = RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
  {
    const std::shared_lock lock(mutex_);
    const auto topic = topics_.find(pending->record.topic);
    if (!replacing_ && topic != topics_.end()) error = Produce(pending, topic->second.get());
  }
  if (error == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC || error == RD_KAFKA_RESP_ERR__FATAL)
    error = PublishOrBuffer(pending);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) Refuse({std::move(pending), error});
}

// The first record of a topic, and records published while the client is replaced.
rd_kafka_resp_err_t Producer::Impl::PublishOrBuffer(PendingPtr& pending) {
  const std::unique_lock lock(mutex_);
  if (!replacing_) {
    rd_kafka_topic_t* const topic = TopicHandle(pending->record.topic);
    if (topic == nullptr) return rd_kafka_last_error();
    const auto error = Produce(pending, topic);
    if (error != RD_KAFKA_RESP_ERR__FATAL) return error;
    fatal_ = true;
  }
  if (buffered_.size() >= static_cast<size_t>(profile_.max_records))
    return RD_KAFKA_RESP_ERR__QUEUE_FULL;
  buffered_.push_back(std::move(pending));
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_topic_t* Producer::Impl::TopicHandle(const std::string& name) {
  Owned<rd_kafka_topic_t>& topic = topics_[name];
  if (topic) return topic.get();
  rd_kafka_topic_conf_t* conf = nullptr;  // the client's
  if (!names_.KeepsKeyOrder(name)) {
    conf = rd_kafka_default_topic_conf_dup(client_.get());
    rd_kafka_topic_conf_set_partitioner_cb(conf, &SelectBySlot);
  }
  topic.reset(rd_kafka_topic_new(client_.get(), name.c_str(), conf));  // takes `conf` over
  return topic.get();
}

// On success `pending` belongs to librdkafka until OnDeliveryReport().
rd_kafka_resp_err_t Producer::Impl::Produce(PendingPtr& pending, rd_kafka_topic_t* topic) {
  const OutgoingRecord& record = pending->record;
  rd_kafka_headers_t* const headers = record.headers.empty() ? nullptr : ToHeaders(record.headers);
  Pending* const opaque = pending.release();
  // `opaque` keeps the value, so it is not copied. librdkafka does not write to it.
  const auto error = rd_kafka_producev(
      client_.get(), RD_KAFKA_V_RKT(topic), RD_KAFKA_V_MSGFLAGS(0),
      RD_KAFKA_V_KEY(record.key.data(), record.key.size()),
      RD_KAFKA_V_VALUE(const_cast<char*>(record.value.data()), record.value.size()),
      RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(opaque), RD_KAFKA_V_END);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return error;
  if (headers != nullptr) rd_kafka_headers_destroy(headers);  // not taken over on error
  pending.reset(opaque);
  return error;
}

void Producer::Impl::OnError(rd_kafka_resp_err_t error, const char* reason) {
  if (error == RD_KAFKA_RESP_ERR__FATAL) fatal_ = true;
  Callbacks::OnError(error, reason);
}

void Producer::Impl::OnDeliveryReport(const rd_kafka_message_t& message) {
  PendingPtr pending(static_cast<Pending*>(message._private));
  PublishReport report;
  report.outcome = OutcomeOf(message);
  if (report.outcome == PublishOutcome::kPersisted) {
    report.position.set_topic(std::move(pending->record.topic));
    report.position.set_partition(message.partition);
    report.position.set_offset(message.offset);
  } else {
    if (report.outcome == PublishOutcome::kNotPersisted && !stopping_ &&
        rd_kafka_fatal_error(client_.get(), nullptr, 0) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      fatal_ = true;
      unwritten_.push_back(std::move(pending));
      return;
    }
    report.error = message.err == RD_KAFKA_RESP_ERR_NO_ERROR ? "the broker reported no offset"
                                                             : ErrorText(message.err);
  }
  Complete(std::move(pending), report);
}

void Producer::Impl::Complete(PendingPtr pending, const PublishReport& report) {
  if (const auto& delivery_report = GetHooks().delivery_report)
    delivery_report(report.outcome, std::chrono::duration_cast<Micros>(
                                        std::chrono::steady_clock::now() - pending->publish_time));
  pending->report(report);
  pending.reset();
  if (in_flight_.fetch_sub(1) != 1) return;
  const std::lock_guard lock(idle_mutex_);
  idle_.notify_all();
}

void Producer::Impl::Refuse(Refused refused) {
  Complete(std::move(refused.pending), {.outcome = PublishOutcome::kNotPersisted,
                                        .position = {},
                                        .error = ErrorText(refused.error)});
}

void Producer::Impl::Poll() {
  while (!stopping_) {
    rd_kafka_poll(client_.get(), ToMs(kPollTimeout));
    if (fatal_ && !stopping_) ReplaceClient();
  }
}

void Producer::Impl::PollUntilEmpty(std::chrono::milliseconds timeout) {
  const SteadyTime deadline = std::chrono::steady_clock::now() + timeout;
  while (rd_kafka_outq_len(client_.get()) > 0 && std::chrono::steady_clock::now() < deadline)
    rd_kafka_poll(client_.get(), 10);
}

void Producer::Impl::ReplaceClient() {
  {
    const std::unique_lock lock(mutex_);
    replacing_ = true;
  }
  Log(3, "fatal producer error; replacing the producer");
  PollUntilEmpty(profile_.delivery_timeout);  // requests in flight may still get their response
  rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  PollUntilEmpty(kPurgeTimeout);
  Result<Client> created = CreateClient();
  // The settings are valid: only memory or threads can be exhausted.
  if (!created) std::abort();
  std::vector<Refused> refused;
  const std::lock_guard replace_lock(replace_mutex_);
  {
    const std::unique_lock lock(mutex_);
    topics_.clear();
    client_.swap(*created);
    fatal_ = false;
    refused = Republish();
    replacing_ = false;
  }
  created->reset();
  for (Refused& record : refused) Refuse(std::move(record));
}

std::vector<Refused> Producer::Impl::Republish() {
  std::vector<PendingPtr> records = std::exchange(unwritten_, {});
  std::move(buffered_.begin(), buffered_.end(), std::back_inserter(records));
  buffered_.clear();
  std::sort(records.begin(), records.end(), [](const PendingPtr& one, const PendingPtr& other) {
    return one->sequence < other->sequence;
  });
  const SteadyTime oldest = std::chrono::steady_clock::now() - profile_.delivery_timeout;
  std::vector<Refused> refused;
  for (PendingPtr& pending : records) {
    auto error = RD_KAFKA_RESP_ERR__MSG_TIMED_OUT;
    if (pending->publish_time > oldest)
      error = Produce(pending, TopicHandle(pending->record.topic));
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) refused.push_back({std::move(pending), error});
  }
  return refused;
}

Status Producer::Impl::FetchMetadata(const std::vector<std::string>& topics,
                                     std::chrono::milliseconds timeout) {
  {
    const std::unique_lock lock(mutex_);
    for (const std::string& topic : topics)
      if (TopicHandle(topic) == nullptr)
        return Fail(ErrorCode::kInvalidConfig, "is not a topic name", topic);
  }
  const std::lock_guard lock(replace_mutex_);  // does not block Publish()
  const rd_kafka_metadata_t* raw = nullptr;
  const auto error = rd_kafka_metadata(client_.get(), 0, nullptr, &raw, ToMs(timeout));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
    return Fail(ErrorCode::kKafkaUnavailable, "no metadata: " + ErrorText(error));
  const Owned<const rd_kafka_metadata_t> metadata(raw);
  for (int i = 0; i < metadata->topic_cnt; ++i) {
    const rd_kafka_metadata_topic_t& topic = metadata->topics[i];
    if (topic.err != RD_KAFKA_RESP_ERR_NO_ERROR)
      return Fail(ErrorCode::kKafkaUnavailable,
                  "topic " + std::string(topic.topic) + ": " + ErrorText(topic.err));
  }
  return {};
}

Status Producer::Impl::Flush(std::chrono::milliseconds timeout) {
  std::unique_lock lock(idle_mutex_);
  if (idle_.wait_for(lock, timeout, [&] { return in_flight_ == 0; })) return {};
  return Fail(ErrorCode::kKafkaUnavailable,
              std::to_string(in_flight_) + " records without a delivery report");
}

Result<std::unique_ptr<Producer>> Producer::Create(const KafkaSettings& settings,
                                                   const ProducerProfile& profile, Hooks hooks) {
  auto impl = std::make_unique<Impl>(settings, profile, std::move(hooks));
  TOCSIN_CHECK_OK(impl->Start());
  return std::unique_ptr<Producer>(new Producer(std::move(impl)));
}

Producer::Producer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Producer::~Producer() = default;

void Producer::Publish(OutgoingRecord record, std::function<void(const PublishReport&)> report) {
  auto pending = std::make_unique<Pending>();
  pending->record = std::move(record);
  pending->report = std::move(report);
  impl_->Publish(std::move(pending));
}

Status Producer::FetchMetadata(const std::vector<std::string>& topics,
                               std::chrono::milliseconds timeout) {
  return impl_->FetchMetadata(topics, timeout);
}
Status Producer::Flush(std::chrono::milliseconds timeout) { return impl_->Flush(timeout); }
size_t Producer::InFlight() const { return impl_->InFlight(); }

}  // namespace tocsin::kafka
