#include "common/kafka/producer.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <unordered_map>
#include <utility>

#include "common/base/time.h"
#include "common/kafka/client.h"

namespace tocsin::kafka {
namespace {

constexpr std::chrono::milliseconds kPurgeLimit{
    2000};  // for the last reports of a producer given up

using Report = std::function<void(const PublishReport&)>;

// A record on its way: librdkafka reads key and value out of it, so it stays until its report.
struct Pending {
  OutgoingRecord record;
  Report report;
  std::uint64_t sequence = 0;  // order of publishing
  SteadyTime published;
};
using PendingPtr = std::unique_ptr<Pending>;

struct Refusal {
  PendingPtr pending;
  rd_kafka_resp_err_t error;
};

PublishOutcome OutcomeOf(const rd_kafka_message_t& message) {
  if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR) return PublishOutcome::kPersisted;
  switch (rd_kafka_message_status(&message)) {
    case RD_KAFKA_MSG_STATUS_NOT_PERSISTED: return PublishOutcome::kNotPersisted;
    case RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED: return PublishOutcome::kUnknown;
    case RD_KAFKA_MSG_STATUS_PERSISTED: return PublishOutcome::kPersisted;
  }
  return PublishOutcome::kUnknown;
}

rd_kafka_headers_t* HeadersOf(const RecordHeaders& headers) {
  rd_kafka_headers_t* const made = rd_kafka_headers_new(headers.size());
  for (const auto& [name, value] : headers)
    rd_kafka_header_add(made, name.data(), static_cast<ssize_t>(name.size()), value.data(),
                        static_cast<ssize_t>(value.size()));
  return made;
}

std::string LingerText(std::chrono::microseconds linger) {  // librdkafka takes fractions of a ms
  return std::to_string(static_cast<double>(linger.count()) / 1000.0);
}

}  // namespace

class Producer::Impl final : public Callbacks {
 public:
  Impl(KafkaSettings settings, const ProducerProfile& profile, Hooks hooks)
      : Callbacks(std::move(hooks)), settings_(std::move(settings)), profile_(profile) {}
  ~Impl() override;

  Status Start();
  void Publish(PendingPtr pending);
  Status Warm(const std::vector<std::string>& topics, std::chrono::milliseconds limit);
  Status Flush(std::chrono::milliseconds limit);
  size_t Open() const { return open_.load(); }
  std::uint64_t Rebuilds() const { return rebuilds_.load(); }
  rd_kafka_t* Native() { return client_.get(); }

  void OnError(rd_kafka_resp_err_t error, const char* reason) override;
  void OnDelivery(const rd_kafka_message_t& message) override;

 private:
  Result<Client> Build();
  void Serve();
  void Rebuild();
  void ServeUntilEmpty(std::chrono::milliseconds limit);
  rd_kafka_resp_err_t Produce(PendingPtr& pending, rd_kafka_topic_t* topic);  // under gate_
  rd_kafka_resp_err_t PublishOrHold(PendingPtr& pending);
  rd_kafka_topic_t* TopicNamed(const std::string& name);  // under gate_, exclusive
  std::vector<Refusal> Republish();                       // under gate_, exclusive
  void Answer(PendingPtr pending, const PublishReport& report);
  void Refuse(Refusal refusal);

  const KafkaSettings settings_;
  const ProducerProfile profile_;

  // Shared: publish by client_. Exclusive: change client_, topics_, rebuilding_, held_.
  std::shared_mutex gate_;
  std::mutex exchange_;  // before gate_; held while client_ must stay the same for long
  Client client_;
  std::unordered_map<std::string, Owned<rd_kafka_topic_t>> topics_;  // few, and only our own
  bool rebuilding_ = false;
  std::vector<PendingPtr> held_;  // published during a rebuild; at most max_records

  std::vector<PendingPtr>
      again_;  // serving thread only: certainly not written by the producer given up
  std::atomic<bool> fatal_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> sequence_{0};
  std::atomic<std::uint64_t> rebuilds_{0};
  std::atomic<size_t> open_{0};
  std::mutex idle_mutex_;
  std::condition_variable idle_;  // open_ became 0
  std::thread server_;
};

Status Producer::Impl::Start() {
  TOCSIN_TRY(client_, Build());
  server_ = std::thread([this] { Serve(); });
  return {};
}

Result<Client> Producer::Impl::Build() {
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
      .WithDelivery();
  return conf.Make(RD_KAFKA_PRODUCER);
}

Producer::Impl::~Impl() {
  if (!client_) return;
  if (!Flush(profile_.delivery_timeout + std::chrono::seconds(1)))
    Log(4, "closed with records that have no report");
  stopping_ = true;
  if (server_.joinable()) server_.join();
  rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  ServeUntilEmpty(kPurgeLimit);
  for (PendingPtr& pending : again_) Refuse({std::move(pending), RD_KAFKA_RESP_ERR__DESTROY});
  for (PendingPtr& pending : held_) Refuse({std::move(pending), RD_KAFKA_RESP_ERR__DESTROY});
  topics_.clear();
}

void Producer::Impl::Publish(PendingPtr pending) {
  pending->sequence = sequence_.fetch_add(1, std::memory_order_relaxed);
  pending->published = std::chrono::steady_clock::now();
  open_.fetch_add(1);
  auto error = RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
  {
    const std::shared_lock lock(gate_);
    const auto topic = topics_.find(pending->record.topic);
    if (!rebuilding_ && topic != topics_.end()) error = Produce(pending, topic->second.get());
  }
  if (error == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC || error == RD_KAFKA_RESP_ERR__FATAL)
    error = PublishOrHold(pending);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) Refuse({std::move(pending), error});
}

// The rare ways: a topic's first record, and publishing while the producer is exchanged.
rd_kafka_resp_err_t Producer::Impl::PublishOrHold(PendingPtr& pending) {
  const std::unique_lock lock(gate_);
  if (!rebuilding_) {
    rd_kafka_topic_t* const topic = TopicNamed(pending->record.topic);
    if (topic == nullptr) return rd_kafka_last_error();
    const auto error = Produce(pending, topic);
    if (error != RD_KAFKA_RESP_ERR__FATAL) return error;
    fatal_ = true;
  }
  if (held_.size() >= static_cast<size_t>(profile_.max_records))
    return RD_KAFKA_RESP_ERR__QUEUE_FULL;
  held_.push_back(std::move(pending));
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_topic_t* Producer::Impl::TopicNamed(const std::string& name) {
  Owned<rd_kafka_topic_t>& topic = topics_[name];
  if (!topic) topic.reset(rd_kafka_topic_new(client_.get(), name.c_str(), nullptr));
  return topic.get();
}

// On success `pending` belongs to librdkafka until OnDelivery.
rd_kafka_resp_err_t Producer::Impl::Produce(PendingPtr& pending, rd_kafka_topic_t* topic) {
  const OutgoingRecord& record = pending->record;
  rd_kafka_headers_t* const headers = record.headers.empty() ? nullptr : HeadersOf(record.headers);
  Pending* const opaque = pending.release();
  // No copy of the value: `opaque` keeps it. librdkafka wants a pointer that is not const, and only
  // reads.
  const auto error = rd_kafka_producev(
      client_.get(), RD_KAFKA_V_RKT(topic), RD_KAFKA_V_MSGFLAGS(0),
      RD_KAFKA_V_KEY(record.key.data(), record.key.size()),
      RD_KAFKA_V_VALUE(const_cast<char*>(record.value.data()), record.value.size()),
      RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(opaque), RD_KAFKA_V_END);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return error;
  if (headers != nullptr) rd_kafka_headers_destroy(headers);  // still ours
  pending.reset(opaque);
  return error;
}

void Producer::Impl::OnError(rd_kafka_resp_err_t error, const char* reason) {
  if (error == RD_KAFKA_RESP_ERR__FATAL) fatal_ = true;
  Callbacks::OnError(error, reason);
}

void Producer::Impl::OnDelivery(const rd_kafka_message_t& message) {
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
      again_.push_back(std::move(pending));
      return;
    }
    report.why = TextOf(message.err);
  }
  Answer(std::move(pending), report);
}

void Producer::Impl::Answer(PendingPtr pending, const PublishReport& report) {
  if (const auto& reported = GetHooks().reported)
    reported(report.outcome, std::chrono::duration_cast<Micros>(std::chrono::steady_clock::now() -
                                                                pending->published));
  pending->report(report);
  pending.reset();
  if (open_.fetch_sub(1) != 1) return;
  const std::lock_guard lock(idle_mutex_);
  idle_.notify_all();
}

void Producer::Impl::Refuse(Refusal refusal) {
  Answer(std::move(refusal.pending),
         {.outcome = PublishOutcome::kNotPersisted, .position = {}, .why = TextOf(refusal.error)});
}

void Producer::Impl::Serve() {
  while (!stopping_) {
    rd_kafka_poll(client_.get(), ToMs(kPollRound));
    if (fatal_ && !stopping_) Rebuild();
  }
}

void Producer::Impl::ServeUntilEmpty(std::chrono::milliseconds limit) {
  const SteadyTime deadline = std::chrono::steady_clock::now() + limit;
  while (rd_kafka_outq_len(client_.get()) > 0 && std::chrono::steady_clock::now() < deadline)
    rd_kafka_poll(client_.get(), 10);
}

void Producer::Impl::Rebuild() {
  {
    const std::unique_lock lock(gate_);
    rebuilding_ = true;
  }
  Log(3, "the producer has failed for good; a new one takes over");
  ServeUntilEmpty(
      profile_.delivery_timeout);  // requests in flight still tell what became of theirs
  rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  ServeUntilEmpty(kPurgeLimit);
  Result<Client> fresh = Build();
  // The same settings made a client before; only memory or threads can have run out.
  if (!fresh) std::abort();
  std::vector<Refusal> refused;
  const std::lock_guard exchange(exchange_);
  {
    const std::unique_lock lock(gate_);
    topics_.clear();
    client_.swap(*fresh);
    fatal_ = false;
    refused = Republish();
    rebuilding_ = false;
  }
  rebuilds_.fetch_add(1);
  fresh->reset();
  for (Refusal& refusal : refused) Refuse(std::move(refusal));
}

std::vector<Refusal> Producer::Impl::Republish() {
  std::vector<PendingPtr> records = std::exchange(again_, {});
  std::move(held_.begin(), held_.end(), std::back_inserter(records));
  held_.clear();
  std::sort(records.begin(), records.end(), [](const PendingPtr& one, const PendingPtr& other) {
    return one->sequence < other->sequence;
  });
  const SteadyTime oldest = std::chrono::steady_clock::now() - profile_.delivery_timeout;
  std::vector<Refusal> refused;
  for (PendingPtr& pending : records) {
    auto error = RD_KAFKA_RESP_ERR__MSG_TIMED_OUT;
    if (pending->published > oldest) error = Produce(pending, TopicNamed(pending->record.topic));
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) refused.push_back({std::move(pending), error});
  }
  return refused;
}

Status Producer::Impl::Warm(const std::vector<std::string>& topics,
                            std::chrono::milliseconds limit) {
  {
    const std::unique_lock lock(gate_);
    for (const std::string& topic : topics)
      if (TopicNamed(topic) == nullptr)
        return Fail(ErrorCode::kInvalidConfig, "is no name of a topic", topic);
  }
  const std::lock_guard lock(exchange_);  // publishing goes on, a rebuild waits
  const rd_kafka_metadata_t* raw = nullptr;
  const auto error = rd_kafka_metadata(client_.get(), 0, nullptr, &raw, ToMs(limit));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
    return Fail(ErrorCode::kKafkaUnavailable, "no metadata: " + TextOf(error));
  const Owned<const rd_kafka_metadata_t> metadata(raw);
  for (int i = 0; i < metadata->topic_cnt; ++i) {
    const rd_kafka_metadata_topic_t& topic = metadata->topics[i];
    if (topic.err != RD_KAFKA_RESP_ERR_NO_ERROR)
      return Fail(ErrorCode::kKafkaUnavailable,
                  "topic " + std::string(topic.topic) + ": " + TextOf(topic.err));
  }
  return {};
}

Status Producer::Impl::Flush(std::chrono::milliseconds limit) {
  std::unique_lock lock(idle_mutex_);
  if (idle_.wait_for(lock, limit, [&] { return open_ == 0; })) return {};
  return Fail(ErrorCode::kKafkaUnavailable, std::to_string(open_) + " records have no report");
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

Status Producer::Warm(const std::vector<std::string>& topics, std::chrono::milliseconds limit) {
  return impl_->Warm(topics, limit);
}
Status Producer::Flush(std::chrono::milliseconds limit) { return impl_->Flush(limit); }
size_t Producer::Open() const { return impl_->Open(); }
std::uint64_t Producer::Rebuilds() const { return impl_->Rebuilds(); }
rd_kafka_s* Producer::Native() { return impl_->Native(); }

}  // namespace tocsin::kafka
