#include "common/kafka/group_member.h"

#include <array>
#include <thread>

#include "common/base/failpoint.h"

namespace tocsin::kafka {

Status GroupMember::Start(const KafkaSettings& settings, const MemberConf& conf,
                          const std::vector<std::string>& topics) {
  settings_ = settings;
  conf_ = conf;
  topics_ = topics;
  TOCSIN_TRY(client_, Join());
  started_ = true;
  std::thread([self = shared_from_this()] {
    do self->Run();
    while (self->JoinAgain());
    self->Close();
  }).detach();  // Stop() waits for it; a close that hangs must not block the program's exit
  return {};
}

Result<Client> GroupMember::Join() {
  ClientConf client(settings_, *this);
  client.Set("group.id", conf_.group)
      .Set("enable.auto.commit", "false")
      .Set("enable.auto.offset.store", "false")
      .Set("auto.offset.reset", "error")
      .Set("partition.assignment.strategy", "range")
      .Set("session.timeout.ms", conf_.session_timeout)
      .Set("heartbeat.interval.ms", conf_.heartbeat_interval)
      // A topic that is created later is found by the next refresh; the default is five minutes.
      .Set("topic.metadata.refresh.interval.ms", kMetadataRefresh)
      .WithFetch(conf_.fetch)
      .Set("queued.min.messages", conf_.queue_records)
      .Set("queued.max.messages.kbytes", conf_.queue_kbytes)
      .WithRebalance();
  if (!settings_.group_instance_id.empty())
    client.Set("group.instance.id", settings_.group_instance_id);
  TOCSIN_TRY(Client created, client.Create(RD_KAFKA_CONSUMER));
  rd_kafka_poll_set_consumer(created.get());
  if (const auto error = Subscribe(created.get()); error != RD_KAFKA_RESP_ERR_NO_ERROR)
    return Fail(ErrorCode::kInvalidConfig, "cannot subscribe: " + ErrorText(error), conf_.group);
  return created;
}

// A client that is subscribed already gives up its partitions and joins the group again.
rd_kafka_resp_err_t GroupMember::Subscribe(rd_kafka_t* client) {
  const PartitionList subscription(
      rd_kafka_topic_partition_list_new(static_cast<int>(topics_.size())));
  for (const std::string& topic : topics_)
    rd_kafka_topic_partition_list_add(subscription.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
  return rd_kafka_subscribe(client, subscription.get());
}

void GroupMember::SubscribeIfDue() {
  if (!subscribe_time_ || *subscribe_time_ > std::chrono::steady_clock::now()) return;
  subscribe_time_.reset();
  if (const auto error = Subscribe(client_.get()); error != RD_KAFKA_RESP_ERR_NO_ERROR)
    StopWithError(ErrorCode::kInternal, "cannot subscribe: " + ErrorText(error));
}

// The failed client is not closed, because that can hang, and destroyed by a thread of its own. It
// calls OnRebalance() no more.
bool GroupMember::JoinAgain() {
  if (!fenced_ || stopping_) return false;
  OnPartitionsLost();
  Result<Client> joined = Join();
  if (!joined) {
    StopWithError(joined.error().code, joined.error().message);
    return false;
  }
  fenced_ = false;
  subscribe_time_.reset();
  client_.swap(*joined);
  std::thread([self = shared_from_this(), failed = joined->release()] {
    rd_kafka_destroy_flags(failed, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
  }).detach();
  return true;
}

bool GroupMember::HasFencedItself() {
  return rd_kafka_fatal_error(client_.get(), nullptr, 0) == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID &&
         lost_time_ != SteadyTime{} &&
         std::chrono::steady_clock::now() - std::exchange(lost_time_, {}) < kSelfFencingTimeout;
}

bool GroupMember::Stop(std::chrono::milliseconds timeout) {
  stopping_ = true;
  std::unique_lock lock(mutex_);
  if (!started_) return true;
  return closed_changed_.wait_for(lock, timeout, [&] { return closed_; });
}

void GroupMember::Close() {
  if (TOCSIN_FAILS_AT("close")) OnPartitionsLost();  // without the last commit
  rd_kafka_consumer_close(client_.get());            // calls OnRebalance()
  client_.reset();                                   // can hang, too: not under mutex_
  const std::lock_guard lock(mutex_);
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
  const bool lost = rd_kafka_assignment_lost(client) != 0;
  // A member that another one has fenced loses its assignment, too.
  if (lost && rd_kafka_fatal_error(client, nullptr, 0) == RD_KAFKA_RESP_ERR_NO_ERROR)
    lost_time_ = std::chrono::steady_clock::now();
  if (event == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS && !lost)
    OnPartitionsRevoked();
  else
    OnPartitionsLost();
  rd_kafka_assign(client, nullptr);
}

Message GroupMember::Poll(std::chrono::milliseconds timeout) {
  SubscribeIfDue();
  Message message(rd_kafka_consumer_poll(client_.get(), ToMs(timeout)));
  if (!message || message->err == RD_KAFKA_RESP_ERR_NO_ERROR) return message;
  const char* const text = rd_kafka_message_errstr(message.get());
  const std::string reason = ErrorText(message->err) + ": " + (text == nullptr ? "" : text);
  if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
      message->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
    HandleOutOfRange(*message, reason);
  } else if (message->err == RD_KAFKA_RESP_ERR__FATAL && HasFencedItself()) {
    Log(4, "fenced after the session had timed out; joining the group again");
    fenced_ = true;
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

void GroupMember::HandleOutOfRange(const rd_kafka_message_t& message, const std::string& reason) {
  const std::string topic = message.rkt == nullptr ? "" : rd_kafka_topic_name(message.rkt);
  const SteadyTime now = std::chrono::steady_clock::now();
  auto& [first, last] = out_of_range_[{topic, message.partition}];
  if (now - last >= conf_.out_of_range_timeout) first = now;
  last = now;
  const std::string subject = "offset out of range in " + PartitionName(topic, message.partition);
  if (now - first < conf_.out_of_range_timeout) {
    Log(4, subject + ": subscribing again (" + reason + ")");
    if (!subscribe_time_) subscribe_time_ = now + kSubscribeDelay;
    return;
  }
  StopWithError(
      ErrorCode::kDataCorrupted,
      subject +
          ": records were deleted before they were read, or the log is another one; reset the "
          "position by hand, the group's offset or, of a projection, the one in its store (" +
          reason + ")");
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
