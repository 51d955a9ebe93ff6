#include "common/kafka/group_member.h"

#include <array>
#include <thread>

#include "common/base/failpoint.h"

namespace tocsin::kafka {

Status GroupMember::Start(const KafkaSettings& settings, const MemberConf& conf,
                          const std::vector<std::string>& topics) {
  ClientConf client(settings, *this);
  client.Set("group.id", conf.group)
      .Set("enable.auto.commit", "false")
      .Set("enable.auto.offset.store", "false")
      .Set("auto.offset.reset", "error")
      .Set("partition.assignment.strategy", "range")
      .Set("session.timeout.ms", conf.session_timeout)
      .Set("heartbeat.interval.ms", conf.heartbeat_interval)
      // A topic that is created later is found by the next refresh; the default is five minutes.
      .Set("topic.metadata.refresh.interval.ms", kMetadataRefresh)
      .WithFetch(conf.fetch)
      .Set("queued.min.messages", conf.queue_records)
      .Set("queued.max.messages.kbytes", conf.queue_kbytes)
      .WithRebalance();
  if (!settings.group_instance_id.empty())
    client.Set("group.instance.id", settings.group_instance_id);
  TOCSIN_TRY(client_, client.Create(RD_KAFKA_CONSUMER));
  rd_kafka_poll_set_consumer(client_.get());
  const PartitionList subscription(
      rd_kafka_topic_partition_list_new(static_cast<int>(topics.size())));
  for (const std::string& topic : topics)
    rd_kafka_topic_partition_list_add(subscription.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
  if (const auto error = rd_kafka_subscribe(client_.get(), subscription.get());
      error != RD_KAFKA_RESP_ERR_NO_ERROR)
    return Fail(ErrorCode::kInvalidConfig, "cannot subscribe: " + ErrorText(error), conf.group);
  std::thread([self = shared_from_this()] {
    self->Run();
    self->Close();
  }).detach();  // Stop() waits for it; a close that hangs must not block the program's exit
  return {};
}

bool GroupMember::Stop(std::chrono::milliseconds timeout) {
  stopping_ = true;
  std::unique_lock lock(mutex_);
  if (!client_) return true;
  return closed_changed_.wait_for(lock, timeout, [&] { return closed_; });
}

void GroupMember::Close() {
  if (TOCSIN_FAILS_AT("close")) OnPartitionsLost();  // without the last commit
  rd_kafka_consumer_close(client_.get());            // calls OnRebalance()
  const std::lock_guard lock(mutex_);
  client_.reset();
  closed_ = true;
  closed_changed_.notify_all();
}

void GroupMember::OnRebalance(rd_kafka_t* client, rd_kafka_resp_err_t event,
                              rd_kafka_topic_partition_list_t* partitions) {
  if (event == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS && !stopping_) {
    OnPartitionsAssigned(partitions);
    if (const auto error = rd_kafka_assign(client, partitions); error != RD_KAFKA_RESP_ERR_NO_ERROR)
      StopWithError(ErrorCode::kKafkaUnavailable, "cannot assign partitions: " + ErrorText(error));
    return;
  }
  if (event == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS && rd_kafka_assignment_lost(client) == 0)
    OnPartitionsRevoked();
  else
    OnPartitionsLost();
  rd_kafka_assign(client, nullptr);
}

Message GroupMember::Poll(std::chrono::milliseconds timeout) {
  Message message(rd_kafka_consumer_poll(client_.get(), ToMs(timeout)));
  if (!message || message->err == RD_KAFKA_RESP_ERR_NO_ERROR) return message;
  const char* const text = rd_kafka_message_errstr(message.get());
  const std::string reason = ErrorText(message->err) + ": " + (text == nullptr ? "" : text);
  if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
      message->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
    const char* const topic = message->rkt == nullptr ? "?" : rd_kafka_topic_name(message->rkt);
    StopWithError(ErrorCode::kDataCorrupted,
                  "offset out of range in " + PartitionName(topic, message->partition) +
                      ": records were deleted before they were read, or the log is another one; "
                      "reset the group's offset by hand (" +
                      reason + ")");
  } else if (message->err == RD_KAFKA_RESP_ERR__FATAL) {
    std::array<char, 512> fatal{};
    const auto error = rd_kafka_fatal_error(client_.get(), fatal.data(), fatal.size());
    StopWithError(ErrorCode::kInternal,
                  "fatal consumer error: " + ErrorText(error) + ": " + fatal.data());
  } else {
    Log(4, reason);  // librdkafka retries
  }
  return nullptr;
}

void GroupMember::StopWithError(ErrorCode code, std::string message) {
  stopping_ = true;
  if (std::exchange(failed_, true)) return;
  Log(3, message);
  if (GetHooks().fatal) GetHooks().fatal({.code = code, .message = std::move(message)});
}

bool GroupMember::Seek(const std::string& topic, std::int32_t partition, std::int64_t offset) {
  // Not rd_kafka_seek_partitions(): 2.0.2 divides its timeout by a thousand.
  const Owned<rd_kafka_topic_t> handle(rd_kafka_topic_new(client_.get(), topic.c_str(), nullptr));
  if (!handle) return false;
  const auto error = rd_kafka_seek(handle.get(), partition, offset, ToMs(kSeekTimeout));
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return true;
  Log(4, "seek failed in " + PartitionName(topic, partition) + ": " + ErrorText(error));
  return false;
}

}  // namespace tocsin::kafka
