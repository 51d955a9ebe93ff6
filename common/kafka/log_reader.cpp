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

constexpr std::chrono::milliseconds kMetadataLimit{5'000};

tl::unexpected<Error> Unread(const std::string& what, rd_kafka_resp_err_t error) {
  return Fail(ErrorCode::kKafkaUnavailable, what + ": " + TextOf(error));
}

// One reading: a client, and the partitions that have not come to their end.
class Reading {
 public:
  Reading(const KafkaSettings& settings, const Hooks& hooks)
      : callbacks_(hooks), settings_(settings) {}
  ~Reading() {
    if (client_) rd_kafka_destroy_flags(client_.release(), RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
  }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;

  Status Open() {
    ClientConf conf(settings_, callbacks_);
    conf.Set("group.id", settings_.client_id + ".history")  // asked for by librdkafka, never joined
        .Set("enable.auto.commit", "false")
        .Set("enable.auto.offset.store", "false")
        .Set("auto.offset.reset", "earliest")
        .Set("fetch.wait.max.ms", kFetchWait)
        .Set("fetch.message.max.bytes", kPartitionFetchBytes)
        .Set("fetch.max.bytes", kFetchBytes)
        .Set("queued.min.messages", std::int64_t{10'000})
        .Set("queued.max.messages.kbytes", std::int64_t{4'096});
    TOCSIN_TRY(client_, conf.Make(RD_KAFKA_CONSUMER));
    rd_kafka_poll_set_consumer(client_.get());
    return {};
  }

  // Adds the topic's partitions to `list`.
  Status AddPartitions(const std::string& topic, rd_kafka_topic_partition_list_t* list) {
    const Owned<rd_kafka_topic_t> handle(rd_kafka_topic_new(client_.get(), topic.c_str(), nullptr));
    const rd_kafka_metadata_t* raw = nullptr;
    const auto error =
        rd_kafka_metadata(client_.get(), 0, handle.get(), &raw, ToMs(kMetadataLimit));
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return Unread(topic, error);
    const Owned<const rd_kafka_metadata_t> metadata(raw);
    for (int t = 0; t < metadata->topic_cnt; ++t) {
      if (metadata->topics[t].err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return Unread(topic, metadata->topics[t].err);
      for (int p = 0; p < metadata->topics[t].partition_cnt; ++p)
        rd_kafka_topic_partition_list_add(list, topic.c_str(),
                                          metadata->topics[t].partitions[p].id);
    }
    return {};
  }

  // From the first record at or after `from`, to the ends of now, or to `before` where that is
  // less.
  Status AssignFrom(rd_kafka_topic_partition_list_t* list, WallTime from,
                    std::int64_t before = std::numeric_limits<std::int64_t>::max()) {
    const auto since = std::chrono::floor<std::chrono::milliseconds>(from).time_since_epoch();
    for (int i = 0; i < list->cnt; ++i) list->elems[i].offset = since.count();
    const auto error = rd_kafka_offsets_for_times(client_.get(), list, ToMs(kMetadataLimit));
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return Unread("offsets of a time", error);
    const PartitionList open(rd_kafka_topic_partition_list_new(list->cnt));
    for (int i = 0; i < list->cnt; ++i) {
      const rd_kafka_topic_partition_t& part = list->elems[i];
      if (part.offset < 0) continue;  // nothing since then
      TOCSIN_CHECK_OK(AddOpen(open.get(), part.topic, part.partition, part.offset));
    }
    for (auto& [partition, end] : ends_) end = std::min(end, before);
    return Assign(open.get());
  }

  Status AddOpen(rd_kafka_topic_partition_list_t* open, const char* topic, std::int32_t partition,
                 std::int64_t offset) {
    std::int64_t low = 0;
    std::int64_t high = 0;
    const auto error = rd_kafka_query_watermark_offsets(client_.get(), topic, partition, &low,
                                                        &high, ToMs(kMetadataLimit));
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return Unread("the end of a partition", error);
    if (offset < low || offset >= high) return {};
    rd_kafka_topic_partition_list_add(open, topic, partition)->offset = offset;
    ends_[{topic, partition}] = high;
    return {};
  }

  Status Assign(const rd_kafka_topic_partition_list_t* open) {
    const auto error = rd_kafka_assign(client_.get(), open);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return Unread("cannot take partitions", error);
    return {};
  }

  bool Ended() const { return ends_.empty(); }

  // The next record before the ends; nothing within a poll's time, or when it lies behind them.
  Message Next() {
    Message message(rd_kafka_consumer_poll(client_.get(), ToMs(kPollRound)));
    if (!message || message->err != RD_KAFKA_RESP_ERR_NO_ERROR) return nullptr;
    const auto end = ends_.find({rd_kafka_topic_name(message->rkt), message->partition});
    if (end == ends_.end()) return nullptr;
    const std::int64_t last = end->second - 1;
    if (message->offset >= last) ends_.erase(end);
    return message->offset > last ? nullptr : std::move(message);
  }

  rd_kafka_t* Get() const { return client_.get(); }

 private:
  Callbacks callbacks_;
  const KafkaSettings& settings_;
  Client client_;
  std::map<std::pair<std::string, std::int32_t>, std::int64_t> ends_;
};

// One of the readings that may go on at once; false when none was free until the deadline.
class Turn {
 public:
  template <typename Turns>
  Turn(Turns& turns, SteadyTime deadline) {
    if (turns.try_acquire_until(deadline)) give_back_ = [&turns] { turns.release(); };
  }
  ~Turn() {
    if (give_back_) give_back_();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  explicit operator bool() const { return give_back_ != nullptr; }

 private:
  std::function<void()> give_back_;
};

// `patient`: with every record the time begins anew.
Status FoldToEnd(Reading& reading, const std::function<void(const IncomingRecord&)>& fold,
                 SteadyTime deadline, bool patient, std::stop_token stop) {
  while (!reading.Ended() && !stop.stop_requested() &&
         std::chrono::steady_clock::now() < deadline) {
    const Message message = reading.Next();
    if (!message) continue;
    fold(ToRecord(*message));
    if (patient) deadline = std::chrono::steady_clock::now() + kHistoryPatience;
  }
  if (reading.Ended()) return {};
  return Fail(ErrorCode::kKafkaUnavailable, "the log was not read to its end");
}

}  // namespace

Status LogReader::Read(const std::vector<std::string>& topics, WallTime from,
                       const std::function<void(const IncomingRecord&)>& fold,
                       std::stop_token stop) {
  Reading reading(settings_, hooks_);
  TOCSIN_CHECK_OK(reading.Open());
  const PartitionList list(rd_kafka_topic_partition_list_new(0));
  for (const std::string& topic : topics) TOCSIN_CHECK_OK(reading.AddPartitions(topic, list.get()));
  TOCSIN_CHECK_OK(reading.AssignFrom(list.get(), from));
  return FoldToEnd(reading, fold, std::chrono::steady_clock::now() + kHistoryPatience,
                   /*patient=*/true, std::move(stop));
}

Status LogReader::ReadTo(const v1::Position& last, WallTime from, SteadyTime deadline,
                         const std::function<void(const IncomingRecord&)>& fold) {
  const Turn turn(turns_, deadline);
  if (!turn) return Fail(ErrorCode::kKafkaUnavailable, "too many readings of the log go on");
  Reading reading(settings_, hooks_);
  TOCSIN_CHECK_OK(reading.Open());
  const PartitionList list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), last.topic().c_str(), last.partition());
  TOCSIN_CHECK_OK(reading.AssignFrom(list.get(), from, last.offset() + 1));
  return FoldToEnd(reading, fold, deadline, /*patient=*/false, {});
}

Status LogReader::ReadKey(const std::string& topic, const std::string& key, WallTime from,
                          SteadyTime deadline,
                          const std::function<void(const IncomingRecord&)>& fold) {
  const Turn turn(turns_, deadline);
  if (!turn) return Fail(ErrorCode::kKafkaUnavailable, "too many readings of the log go on");
  Reading reading(settings_, hooks_);
  TOCSIN_CHECK_OK(reading.Open());
  const PartitionList all(rd_kafka_topic_partition_list_new(0));
  TOCSIN_CHECK_OK(reading.AddPartitions(topic, all.get()));
  const PartitionList one(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(one.get(), topic.c_str(), PartitionFor(key, all->cnt));
  TOCSIN_CHECK_OK(reading.AssignFrom(one.get(), from));
  return FoldToEnd(reading, fold, deadline, /*patient=*/false, {});
}

Result<std::optional<IncomingRecord>> LogReader::At(const v1::Position& position) {
  Reading reading(settings_, hooks_);
  TOCSIN_CHECK_OK(reading.Open());
  const PartitionList open(rd_kafka_topic_partition_list_new(1));
  TOCSIN_CHECK_OK(reading.AddOpen(open.get(), position.topic().c_str(), position.partition(),
                                  position.offset()));
  if (reading.Ended()) return std::optional<IncomingRecord>();
  TOCSIN_CHECK_OK(reading.Assign(open.get()));
  const SteadyTime deadline = std::chrono::steady_clock::now() + kHistoryPatience;
  while (std::chrono::steady_clock::now() < deadline) {
    const Message message = reading.Next();
    if (!message) continue;
    if (message->offset != position.offset()) return std::optional<IncomingRecord>();
    return std::optional(ToRecord(*message));
  }
  return Fail(ErrorCode::kKafkaUnavailable, "a record was not read in time");
}

}  // namespace tocsin::kafka
