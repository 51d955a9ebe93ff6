// What GroupConsumer and FoldConsumer share: being a member of a group on a thread that may have to
// be left behind. Included by sources of common/kafka only.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

#include "common/kafka/client.h"

namespace tocsin::kafka {

constexpr std::chrono::milliseconds kCommitLimit{3'000};  // for a commit that is waited for
constexpr std::chrono::milliseconds kSeekLimit{2'000};
constexpr std::chrono::milliseconds kTopicRefresh{10'000};
constexpr std::chrono::milliseconds kCloseLimit{10'000};

struct MemberConf {
  std::string group;
  std::chrono::milliseconds session;
  std::chrono::milliseconds heartbeat;
  std::int64_t queue_records;
  std::int64_t queue_kbytes;
};

class Member : public Callbacks, public std::enable_shared_from_this<Member> {
 public:
  explicit Member(Hooks hooks) : Callbacks(std::move(hooks)) {}

  // Subscribes and runs the thread, which keeps this object alive.
  Status Start(const KafkaSettings& settings, const MemberConf& conf,
               const std::vector<std::string>& topics);
  // False when the thread did not end within `limit`.
  bool Stop(std::chrono::milliseconds limit);

  void OnRebalance(rd_kafka_t* client, rd_kafka_resp_err_t what,
                   rd_kafka_topic_partition_list_t* partitions) final;

 protected:
  // On the member's thread. Assign() sets the offsets to start at; the others forget the
  // partitions.
  virtual void Run() = 0;
  virtual void Assign(rd_kafka_topic_partition_list_t* partitions) = 0;
  virtual void Revoke() = 0;  // still ours: may commit
  virtual void Lose() = 0;    // already another's

  // One record, or nothing within `limit`. Errors end here: they are logged, or they Fail().
  Message Poll(std::chrono::milliseconds limit);
  void Fail(ErrorCode code, std::string message);
  // Reads again from `offset` (or RD_KAFKA_OFFSET_BEGINNING); what was fetched from elsewhere is
  // dropped.
  bool Seek(const std::string& topic, std::int32_t partition, std::int64_t offset);
  bool Stopping() const { return stopping_; }
  rd_kafka_t* GetClient() const { return client_.get(); }

 private:
  void Close();

  Client client_;
  std::atomic<bool> stopping_{false};
  bool failed_ = false;  // member's thread
  std::mutex mutex_;
  std::condition_variable ended_changed_;
  bool ended_ = false;
};

}  // namespace tocsin::kafka
