#include "common/kafka/log_reader.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <utility>

#include "common/kafka/client.h"
#include "common/kafka/partitioner.h"

namespace tocsin::kafka {
namespace {

constexpr std::chrono::milliseconds kMetadataTimeout{5'000};

tl::unexpected<Error> Unavailable(const std::string& subject, rd_kafka_resp_err_t error) {
  return Fail(ErrorCode::kKafkaUnavailable, subject + ": " + ErrorText(error));
}

// A client for one read, and the partitions that were not read to their end yet.
class LogRead {
 public:
  LogRead(const KafkaSettings& settings, const Hooks& hooks)
      : callbacks_(hooks), settings_(settings) {}
  ~LogRead() {
    if (client_) rd_kafka_destroy_flags(client_.release(), RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
  }
  LogRead(const LogRead&) = delete;
  LogRead& operator=(const LogRead&) = delete;

  Status Open() {
    ClientConf conf(settings_, callbacks_);
    conf.Set("group.id", settings_.client_id + ".history")  // required by librdkafka, never joined
        .Set("enable.auto.commit", "false")
        .Set("enable.auto.offset.store", "false")
        .Set("auto.offset.reset", "earliest")
        .WithFetch(kLowLatencyFetch)
        .Set("queued.min.messages", std::int64_t{10'000})
        .Set("queued.max.messages.kbytes", std::int64_t{4'096});
    TOCSIN_TRY(client_, conf.Create(RD_KAFKA_CONSUMER));
    rd_kafka_poll_set_consumer(client_.get());
    return {};
  }

  // Adds the partitions of the topic to `list`.
  Status AddPartitions(const std::string& topic, rd_kafka_topic_partition_list_t* list) {
    const Owned<rd_kafka_topic_t> handle(rd_kafka_topic_new(client_.get(), topic.c_str(), nullptr));
    const rd_kafka_metadata_t* raw = nullptr;
    const auto error =
        rd_kafka_metadata(client_.get(), 0, handle.get(), &raw, ToMs(kMetadataTimeout));
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return Unavailable(topic, error);
    const Owned<const rd_kafka_metadata_t> metadata(raw);
    for (int t = 0; t < metadata->topic_cnt; ++t) {
      if (metadata->topics[t].err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return Unavailable(topic, metadata->topics[t].err);
      for (int p = 0; p < metadata->topics[t].partition_cnt; ++p)
        rd_kafka_topic_partition_list_add(list, topic.c_str(),
                                          metadata->topics[t].partitions[p].id);
    }
    return {};
  }

  // Assigns the partitions of `list`, from the first record at or after `from` to the current end,
  // or to the offset `before` if that is lower.
  Status AssignFrom(rd_kafka_topic_partition_list_t* list, WallTime from,
                    std::int64_t before = std::numeric_limits<std::int64_t>::max()) {
    const auto since = std::chrono::floor<std::chrono::milliseconds>(from).time_since_epoch();
    for (int i = 0; i < list->cnt; ++i) list->elems[i].offset = since.count();
    const auto error = rd_kafka_offsets_for_times(client_.get(), list, ToMs(kMetadataTimeout));
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return Unavailable("offsets for a timestamp", error);
    const PartitionList assignment(rd_kafka_topic_partition_list_new(list->cnt));
    for (int i = 0; i < list->cnt; ++i) {
      const rd_kafka_topic_partition_t& part = list->elems[i];
      if (part.offset < 0) continue;  // no record since then
      TOCSIN_CHECK_OK(AddPartition(assignment.get(), part.topic, part.partition, part.offset));
    }
    for (auto& [partition, end] : ends_) end = std::min(end, before);
    return Assign(assignment.get());
  }

  // Adds the partition if `offset` is in its log.
  Status AddPartition(rd_kafka_topic_partition_list_t* assignment, const char* topic,
                      std::int32_t partition, std::int64_t offset) {
    std::int64_t low = 0;
    std::int64_t high = 0;
    const auto error = rd_kafka_query_watermark_offsets(client_.get(), topic, partition, &low,
                                                        &high, ToMs(kMetadataTimeout));
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return Unavailable("watermark offsets", error);
    if (offset < low || offset >= high) return {};
    rd_kafka_topic_partition_list_add(assignment, topic, partition)->offset = offset;
    ends_[{topic, partition}] = high;
    return {};
  }

  Status Assign(const rd_kafka_topic_partition_list_t* assignment) {
    const auto error = rd_kafka_assign(client_.get(), assignment);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return Unavailable("cannot assign partitions", error);
    return {};
  }

  bool AtEnd() const { return ends_.empty(); }

  // The next record before the end of its partition; nothing if none arrives within kPollTimeout.
  Message Next() {
    Message message(rd_kafka_consumer_poll(client_.get(), ToMs(kPollTimeout)));
    if (!message || message->err != RD_KAFKA_RESP_ERR_NO_ERROR) return nullptr;
    const auto end = ends_.find({rd_kafka_topic_name(message->rkt), message->partition});
    if (end == ends_.end()) return nullptr;
    const std::int64_t last = end->second - 1;
    if (message->offset >= last) ends_.erase(end);
    return message->offset > last ? nullptr : std::move(message);
  }

 private:
  Callbacks callbacks_;
  const KafkaSettings& settings_;
  Client client_;
  std::map<std::pair<std::string, std::int32_t>, std::int64_t> ends_;
};

// Acquires a semaphore until the deadline; false if that fails.
class Permit {
 public:
  template <typename Semaphore>
  Permit(Semaphore& semaphore, SteadyTime deadline) {
    if (semaphore.try_acquire_until(deadline)) release_ = [&semaphore] { semaphore.release(); };
  }
  ~Permit() {
    if (release_) release_();
  }
  Permit(const Permit&) = delete;
  Permit& operator=(const Permit&) = delete;
  explicit operator bool() const { return release_ != nullptr; }

 private:
  std::function<void()> release_;
};

// With `extend` each record moves the deadline to kHistoryTimeout from then.
Status ReadToEnd(LogRead& read, const RecordHistory::Handle& handle, SteadyTime deadline,
                 bool extend, const std::stop_token& stop) {
  while (!read.AtEnd() && !stop.stop_requested() && std::chrono::steady_clock::now() < deadline) {
    const Message message = read.Next();
    if (!message) continue;
    handle(ToRecord(*message));
    if (extend) deadline = std::chrono::steady_clock::now() + kHistoryTimeout;
  }
  if (read.AtEnd()) return {};
  return Fail(ErrorCode::kKafkaUnavailable, "log not read to its end in time");
}

}  // namespace

Status LogReader::Read(const std::vector<std::string>& topics, WallTime from, const Handle& handle,
                       std::stop_token stop) {
  LogRead read(settings_, hooks_);
  TOCSIN_CHECK_OK(read.Open());
  const PartitionList list(rd_kafka_topic_partition_list_new(0));
  for (const std::string& topic : topics) TOCSIN_CHECK_OK(read.AddPartitions(topic, list.get()));
  TOCSIN_CHECK_OK(read.AssignFrom(list.get(), from));
  return ReadToEnd(read, handle, std::chrono::steady_clock::now() + kHistoryTimeout,
                   /*extend=*/true, stop);
}

Status LogReader::ReadTo(const records::v1::Position& last, WallTime from, SteadyTime deadline,
                         const Handle& handle) {
  const Permit permit(permits_, deadline);
  if (!permit) return Fail(ErrorCode::kKafkaUnavailable, "too many concurrent reads of the log");
  LogRead read(settings_, hooks_);
  TOCSIN_CHECK_OK(read.Open());
  const PartitionList list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), last.topic().c_str(), last.partition());
  TOCSIN_CHECK_OK(read.AssignFrom(list.get(), from, last.offset() + 1));
  return ReadToEnd(read, handle, deadline, /*extend=*/false, {});
}

Status LogReader::ReadKey(const std::string& topic, const std::string& key, WallTime from,
                          SteadyTime deadline, const Handle& handle) {
  const Permit permit(permits_, deadline);
  if (!permit) return Fail(ErrorCode::kKafkaUnavailable, "too many concurrent reads of the log");
  LogRead read(settings_, hooks_);
  TOCSIN_CHECK_OK(read.Open());
  const PartitionList all(rd_kafka_topic_partition_list_new(0));
  TOCSIN_CHECK_OK(read.AddPartitions(topic, all.get()));
  const PartitionList one(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(one.get(), topic.c_str(), PartitionFor(key, all->cnt));
  TOCSIN_CHECK_OK(read.AssignFrom(one.get(), from));
  return ReadToEnd(read, handle, deadline, /*extend=*/false, {});
}

Result<std::optional<IncomingRecord>> LogReader::At(const records::v1::Position& position) {
  LogRead read(settings_, hooks_);
  TOCSIN_CHECK_OK(read.Open());
  const PartitionList assignment(rd_kafka_topic_partition_list_new(1));
  TOCSIN_CHECK_OK(read.AddPartition(assignment.get(), position.topic().c_str(),
                                    position.partition(), position.offset()));
  if (read.AtEnd()) return std::optional<IncomingRecord>();
  TOCSIN_CHECK_OK(read.Assign(assignment.get()));
  const SteadyTime deadline = std::chrono::steady_clock::now() + kHistoryTimeout;
  while (std::chrono::steady_clock::now() < deadline) {
    const Message message = read.Next();
    if (!message) continue;
    if (message->offset != position.offset()) return std::optional<IncomingRecord>();
    return std::optional(ToRecord(*message));
  }
  return Fail(ErrorCode::kKafkaUnavailable, "record not read in time");
}

}  // namespace tocsin::kafka
