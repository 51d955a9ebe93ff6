// The group membership that GroupConsumer and ProjectionConsumer share. Included by sources of
// common/kafka only.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/kafka/client.h"

namespace tocsin::kafka {

constexpr std::chrono::milliseconds kCommitTimeout{3'000};  // of a synchronous commit
constexpr std::chrono::milliseconds kSeekTimeout{2'000};
constexpr std::chrono::milliseconds kMetadataRefresh{10'000};
constexpr std::chrono::milliseconds kCloseTimeout{10'000};
// A static member that is fenced so soon after its session timed out has fenced itself.
constexpr std::chrono::milliseconds kSelfFencingTimeout{60'000};
constexpr std::chrono::milliseconds kSubscribeDelay{1'000};  // after an offset was out of range

struct MemberConf {
  std::string group;
  std::chrono::milliseconds session_timeout;
  std::chrono::milliseconds heartbeat_interval;
  std::chrono::milliseconds out_of_range_timeout;
  FetchProfile fetch;
  std::int64_t queue_records;
  std::int64_t queue_kbytes;
};

// A consumer with a thread that may outlive Stop(), because librdkafka's close can hang.
//
// Joins again after it has fenced itself. librdkafka 2.0.2 forgets its member id when the session
// times out, but still sends the commits that waited for the coordinator. A static member without
// an id is refused as fenced, and that error is fatal for the client.
//
// Subscribes again when an offset is out of range, for `out_of_range_timeout`: a broker that was
// cut off and is back believes for a moment that it leads its partitions, and its log is shorter
// than that of the new leader.
class GroupMember : public Callbacks, public std::enable_shared_from_this<GroupMember> {
 public:
  explicit GroupMember(Hooks hooks) : Callbacks(std::move(hooks)) {}

  // Subscribes and starts the thread, which keeps this object alive.
  Status Start(const KafkaSettings& settings, const MemberConf& conf,
               const std::vector<std::string>& topics);
  // False when the thread did not end within `timeout`.
  bool Stop(std::chrono::milliseconds timeout);

  void OnRebalance(rd_kafka_t* client, rd_kafka_resp_err_t event,
                   rd_kafka_topic_partition_list_t* partitions) final;

 protected:
  // All on the member's thread.
  virtual void Run() = 0;  // until Stopping()
  // Sets the offsets to start at.
  virtual void OnPartitionsAssigned(rd_kafka_topic_partition_list_t* partitions) = 0;
  virtual void OnPartitionsRevoked() = 0;  // still assigned to this member: may commit
  virtual void OnPartitionsLost() = 0;     // may be assigned to another member already

  // Returns a record, or nothing within `timeout`. Handles errors: it logs them, or stops the
  // member.
  Message Poll(std::chrono::milliseconds timeout);
  // Stops the member and calls Hooks::fatal.
  void StopWithError(ErrorCode code, std::string message);
  // The next record is the one at `offset` (or RD_KAFKA_OFFSET_BEGINNING); fetched records are
  // dropped.
  bool Seek(const std::string& topic, std::int32_t partition, std::int64_t offset);
  // Run() returns.
  bool Stopping() const { return stopping_ || fenced_; }
  rd_kafka_t* GetClient() const { return client_.get(); }

 private:
  Result<Client> Join();
  bool JoinAgain();
  bool HasFencedItself();
  void Close();
  rd_kafka_resp_err_t Subscribe(rd_kafka_t* client);
  void SubscribeIfDue();
  void HandleOutOfRange(const rd_kafka_message_t& message, const std::string& reason);

  KafkaSettings settings_;
  MemberConf conf_;
  std::vector<std::string> topics_;
  bool started_ = false;
  Client client_;
  std::atomic<bool> stopping_{false};
  // Member's thread only:
  bool failed_ = false;
  bool fenced_ = false;     // by itself
  SteadyTime lost_time_{};  // when the session timed out
  // By partition, when its offset was out of range: for the first time, and for the last time.
  std::map<std::pair<std::string, std::int32_t>, std::pair<SteadyTime, SteadyTime>> out_of_range_;
  std::optional<SteadyTime> subscribe_time_;  // when to subscribe again
  std::mutex mutex_;
  std::condition_variable closed_changed_;
  bool closed_ = false;
};

}  // namespace tocsin::kafka
