#include "common/kafka/member.h"

#include <array>
#include <thread>

#include "common/base/failpoint.h"

namespace tocsin::kafka {

Status Member::Start(const KafkaSettings& settings, const MemberConf& conf,
                     const std::vector<std::string>& topics) {
  ClientConf client(settings, *this);
  client.Set("group.id", conf.group)
      .Set("enable.auto.commit", "false")
      .Set("enable.auto.offset.store", "false")
      .Set("auto.offset.reset", "error")
      .Set("partition.assignment.strategy", "range")
      .Set("session.timeout.ms", conf.session)
      .Set("heartbeat.interval.ms", conf.heartbeat)
      // A topic made after its reader is found by the next look; librdkafka's default is five
      // minutes.
      .Set("topic.metadata.refresh.interval.ms", kTopicRefresh)
      // A partition that flows again waits for the fetch under way, which waits this long for the
      // others.
      .Set("fetch.wait.max.ms", kFetchWait)
      .Set("fetch.message.max.bytes", kPartitionFetchBytes)
      .Set("fetch.max.bytes", kFetchBytes)
      .Set("queued.min.messages", conf.queue_records)
      .Set("queued.max.messages.kbytes", conf.queue_kbytes)
      .WithRebalance();
  if (!settings.instance.empty()) client.Set("group.instance.id", settings.instance);
  TOCSIN_TRY(client_, client.Make(RD_KAFKA_CONSUMER));
  rd_kafka_poll_set_consumer(client_.get());
  const PartitionList wanted(rd_kafka_topic_partition_list_new(static_cast<int>(topics.size())));
  for (const std::string& topic : topics)
    rd_kafka_topic_partition_list_add(wanted.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
  if (const auto error = rd_kafka_subscribe(client_.get(), wanted.get());
      error != RD_KAFKA_RESP_ERR_NO_ERROR)
    return tocsin::Fail(ErrorCode::kInvalidConfig, "cannot subscribe: " + TextOf(error),
                        conf.group);
  std::thread([self = shared_from_this()] {
    self->Run();
    self->Close();
  }).detach();  // Stop() waits for it; a close that hangs must not hold the program
  return {};
}

bool Member::Stop(std::chrono::milliseconds limit) {
  stopping_ = true;
  std::unique_lock lock(mutex_);
  if (!client_) return true;
  return ended_changed_.wait_for(lock, limit, [&] { return ended_; });
}

void Member::Close() {
  if (TOCSIN_FAILS_AT("close")) Lose();    // nothing more is committed
  rd_kafka_consumer_close(client_.get());  // comes back to OnRebalance
  const std::lock_guard lock(mutex_);
  client_.reset();
  ended_ = true;
  ended_changed_.notify_all();
}

void Member::OnRebalance(rd_kafka_t* client, rd_kafka_resp_err_t what,
                         rd_kafka_topic_partition_list_t* partitions) {
  if (what == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS && !stopping_) {
    Assign(partitions);
    if (const auto error = rd_kafka_assign(client, partitions); error != RD_KAFKA_RESP_ERR_NO_ERROR)
      Fail(ErrorCode::kKafkaUnavailable, "cannot take partitions: " + TextOf(error));
    return;
  }
  if (what == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS && rd_kafka_assignment_lost(client) == 0)
    Revoke();
  else
    Lose();
  rd_kafka_assign(client, nullptr);
}

Message Member::Poll(std::chrono::milliseconds limit) {
  Message message(rd_kafka_consumer_poll(client_.get(), ToMs(limit)));
  if (!message || message->err == RD_KAFKA_RESP_ERR_NO_ERROR) return message;
  const char* const text = rd_kafka_message_errstr(message.get());
  const std::string why = TextOf(message->err) + ": " + (text == nullptr ? "" : text);
  if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
      message->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
    const char* const topic = message->rkt == nullptr ? "?" : rd_kafka_topic_name(message->rkt);
    Fail(ErrorCode::kCorrupt,
         "the position in " + NameOfPartition(topic, message->partition) +
             " is not in the log: records were deleted before they were read, or "
             "this is another log; set the group's offset by hand (" +
             why + ")");
  } else if (message->err == RD_KAFKA_RESP_ERR__FATAL) {
    std::array<char, 512> reason{};
    const auto error = rd_kafka_fatal_error(client_.get(), reason.data(), reason.size());
    Fail(ErrorCode::kInternal,
         "the consumer cannot go on: " + TextOf(error) + ": " + reason.data());
  } else {
    Log(4, why);  // librdkafka tries again by itself
  }
  return nullptr;
}

void Member::Fail(ErrorCode code, std::string message) {
  stopping_ = true;
  if (std::exchange(failed_, true)) return;
  Log(3, message);
  if (GetHooks().failed) GetHooks().failed({.code = code, .message = std::move(message)});
}

bool Member::Seek(const std::string& topic, std::int32_t partition, std::int64_t offset) {
  // Not rd_kafka_seek_partitions: 2.0.2 divides its time-out by a thousand.
  const Owned<rd_kafka_topic_t> handle(rd_kafka_topic_new(client_.get(), topic.c_str(), nullptr));
  if (!handle) return false;
  const auto error = rd_kafka_seek(handle.get(), partition, offset, ToMs(kSeekLimit));
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return true;
  Log(4, "cannot seek in " + NameOfPartition(topic, partition) + ": " + TextOf(error));
  return false;
}

}  // namespace tocsin::kafka
