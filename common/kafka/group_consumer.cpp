#include "common/kafka/group_consumer.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "common/base/failpoint.h"
#include "common/kafka/group_member.h"

namespace tocsin::kafka {
namespace {

constexpr std::chrono::milliseconds kOffsetFetchTimeout{5'000};    // of one request
constexpr std::chrono::milliseconds kOffsetFetchDeadline{60'000};  // of all, during the rebalance
constexpr std::chrono::milliseconds kOffsetFetchRetry{200};
constexpr std::chrono::seconds kClockSkew{5};  // between writers and readers of the log

struct Partition {
  std::string topic;
  std::int32_t number = 0;
  const WallTime assign_time = std::chrono::floor<Micros>(std::chrono::system_clock::now());
  std::shared_ptr<PartitionProgress> progress = std::make_shared<PartitionProgress>();
  std::deque<IncomingRecord> refused;  // at most pause_at, and the records librdkafka had queued
  bool paused = false;
  std::int64_t position = -1;   // offset of the next record; -1 before the first
  std::int64_t reread_at = -1;  // position of a gap that was read again
  std::int64_t commit = -1;     // committed, or being committed
  std::int64_t start = -1;      // committed offset when it was assigned; -1: none
  std::atomic<std::int64_t> high_watermark{-1};
};

}  // namespace

class GroupConsumer::Impl final : public GroupMember {
 public:
  Impl(GroupOptions options, Handler handler, Hooks hooks)
      : GroupMember(std::move(hooks)), options_(std::move(options)), handler_(std::move(handler)) {}

  const GroupOptions& Options() const { return options_; }
  std::vector<PartitionGauge> Gauges() const;
  bool IsAssigned(const std::string& topic, std::int32_t partition) const;
  bool WaitUntilReading(SteadyTime deadline) const;

  void OnOffsetCommit(rd_kafka_resp_err_t error,
                      const rd_kafka_topic_partition_list_t* offsets) override;

 protected:
  void Run() override;
  void OnPartitionsAssigned(rd_kafka_topic_partition_list_t* partitions) override;
  void OnPartitionsRevoked() override;
  void OnPartitionsLost() override;

 private:
  void Receive(const rd_kafka_message_t& message);
  bool RereadsGap(Partition& partition, std::int64_t offset);
  bool Offer(Partition& partition, IncomingRecord& record);
  void OfferRefused();
  void PauseOrResume(Partition& partition);
  void SetPaused(Partition& partition, bool paused);
  bool FetchCommitted(rd_kafka_topic_partition_list_t* partitions);
  PartitionList TakeUncommitted();  // and marks them as being committed
  void ReadWatermarks();
  void CheckReading();
  void CommitCompleted();
  Partition* Find(std::string_view topic, std::int32_t number) const;

  const GroupOptions options_;
  const Handler handler_;
  mutable std::mutex mutex_;  // for other threads; only the member's thread writes partitions_
  std::vector<std::unique_ptr<Partition>> partitions_;
  size_t refused_ = 0;     // partitions with refused records
  size_t first_ = 0;       // index of the partition whose refused record is offered first
  bool assigned_ = false;  // at least once, perhaps no partition
  bool reading_ = false;   // since the first assignment was fetched
  mutable std::condition_variable reading_changed_;
};

void GroupConsumer::Impl::Run() {
  SteadyTime commit_at = std::chrono::steady_clock::now() + options_.commit_interval;
  SteadyTime offer_at{};
  while (!Stopping()) {
    const Message message = Poll(refused_ > 0 ? options_.retry_interval : kPollTimeout);
    if (message) Receive(*message);
    if (!reading_) CheckReading();
    const SteadyTime now = std::chrono::steady_clock::now();
    if (now >= offer_at) {
      OfferRefused();
      offer_at = now + options_.retry_interval;
    }
    if (now >= commit_at) {
      CommitCompleted();
      commit_at = now + options_.commit_interval;
    }
  }
}

void GroupConsumer::Impl::Receive(const rd_kafka_message_t& message) {
  Partition* const partition = Find(rd_kafka_topic_name(message.rkt), message.partition);
  if (partition == nullptr || RereadsGap(*partition, message.offset)) return;
  IncomingRecord record = ToRecord(message);
  // False for a record that was read before: librdkafka 2.0.2 can jump back after a pause.
  if (!partition->progress->Begin(message.offset, record.append_time)) return;
  record.predates_assignment = record.append_time < partition->assign_time + kClockSkew;
  partition->position = message.offset + 1;
  const bool offered = partition->refused.empty() && !TOCSIN_FAILS_AT("after_poll");
  if (offered && Offer(*partition, record)) return;
  if (partition->refused.empty()) ++refused_;
  partition->refused.push_back(std::move(record));
  PauseOrResume(*partition);
}

// A gap is read again once before the records behind it are accepted: logs have gaps (compaction,
// transactions), but a jump after a pause would look the same and lose records. If the consumer
// cannot be set back, the record is dropped, and the next one shows the same gap.
bool GroupConsumer::Impl::RereadsGap(Partition& partition, std::int64_t offset) {
  if (partition.position < 0 || offset <= partition.position ||
      partition.reread_at == partition.position)
    return false;
  if (Seek(partition.topic, partition.number, partition.position))
    partition.reread_at = partition.position;
  return true;
}

bool GroupConsumer::Impl::Offer(Partition& partition, IncomingRecord& record) {
  const std::int64_t offset = record.position.offset();
  return handler_(std::move(record), Completion(partition.progress, offset));
}

// Round robin, one record of each partition, so that no partition waits for the backlog of another.
// The next call continues behind the last partition that was served.
void GroupConsumer::Impl::OfferRefused() {
  bool taken = true;
  while (taken && !Stopping()) {
    taken = false;
    const size_t first = first_;
    for (size_t i = 0; i < partitions_.size(); ++i) {
      const size_t index = (first + i) % partitions_.size();
      auto& refused = partitions_[index]->refused;
      if (refused.empty() || !Offer(*partitions_[index], refused.front())) continue;
      refused.pop_front();
      if (refused.empty()) --refused_;
      first_ = index + 1;
      taken = true;
    }
  }
  for (const auto& partition : partitions_) PauseOrResume(*partition);
}

void GroupConsumer::Impl::PauseOrResume(Partition& partition) {
  const size_t limit = partition.paused ? options_.resume_at + 1 : options_.pause_at;
  const bool pause = partition.refused.size() >= limit;
  if (pause != partition.paused) SetPaused(partition, pause);
}

void GroupConsumer::Impl::SetPaused(Partition& partition, bool paused) {
  const PartitionList list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), partition.number);
  const auto error = paused ? rd_kafka_pause_partitions(GetClient(), list.get())
                            : rd_kafka_resume_partitions(GetClient(), list.get());
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) partition.paused = paused;
}

void GroupConsumer::Impl::OnPartitionsAssigned(rd_kafka_topic_partition_list_t* partitions) {
  if (!FetchCommitted(partitions)) {
    partitions->cnt = 0;  // assigns none: the member stops
    return;
  }
  const std::lock_guard lock(mutex_);
  for (int i = 0; i < partitions->cnt; ++i) {
    rd_kafka_topic_partition_t& assigned = partitions->elems[i];
    auto partition = std::make_unique<Partition>();
    partition->topic = assigned.topic;
    partition->number = assigned.partition;
    if (assigned.offset < 0)
      assigned.offset = RD_KAFKA_OFFSET_BEGINNING;
    else
      partition->start = partition->position = partition->commit = assigned.offset;
    partitions_.push_back(std::move(partition));
  }
  assigned_ = true;
}

bool GroupConsumer::Impl::FetchCommitted(rd_kafka_topic_partition_list_t* partitions) {
  const SteadyTime deadline = std::chrono::steady_clock::now() + kOffsetFetchDeadline;
  while (!Stopping()) {
    const auto error = rd_kafka_committed(GetClient(), partitions, ToMs(kOffsetFetchTimeout));
    bool complete = error == RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int i = 0; i < partitions->cnt; ++i)
      complete = complete && partitions->elems[i].err == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (complete) return true;
    if (std::chrono::steady_clock::now() >= deadline) {
      StopWithError(ErrorCode::kKafkaUnavailable,
                    "cannot read the committed offsets: " + ErrorText(error));
      return false;
    }
    std::this_thread::sleep_for(kOffsetFetchRetry);
  }
  return false;
}

void GroupConsumer::Impl::OnPartitionsRevoked() {
  const SteadyTime deadline = std::chrono::steady_clock::now() + options_.drain_timeout;
  for (const auto& partition : partitions_)
    if (!partition->progress->WaitIdle(deadline))
      Log(5, PartitionName(partition->topic, partition->number) + " revoked with " +
                 std::to_string(partition->progress->InFlight()) + " records in flight");
  const PartitionList offsets = TakeUncommitted();
  if (offsets->cnt > 0 && !TOCSIN_FAILS_AT("revoke")) {
    const auto error = CommitAndWait(GetClient(), offsets.get(), kCommitTimeout);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
      Log(4, "commit failed while partitions were revoked: " + ErrorText(error));
  }
  OnPartitionsLost();
}

void GroupConsumer::Impl::OnPartitionsLost() {
  const std::lock_guard lock(mutex_);
  for (const auto& partition : partitions_) {
    partition->progress->MarkLost();
    // librdkafka keeps the pause: if the partition is assigned again, nothing would be read.
    if (partition->paused) SetPaused(*partition, false);
  }
  partitions_.clear();
  refused_ = 0;
}

PartitionList GroupConsumer::Impl::TakeUncommitted() {
  PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(partitions_.size())));
  for (const auto& partition : partitions_) {
    const auto offset = partition->progress->CommitOffset();
    if (!offset || *offset == partition->commit) continue;
    partition->commit = *offset;
    rd_kafka_topic_partition_list_add(list.get(), partition->topic.c_str(), partition->number)
        ->offset = *offset;
  }
  return list;
}

// Those of the last fetch response: sends no request.
void GroupConsumer::Impl::ReadWatermarks() {
  for (const auto& partition : partitions_) {
    std::int64_t low = -1;
    std::int64_t high = -1;
    if (rd_kafka_get_watermark_offsets(GetClient(), partition->topic.c_str(), partition->number,
                                       &low, &high) == RD_KAFKA_RESP_ERR_NO_ERROR)
      partition->high_watermark = high;
  }
}

// The answer to a fetch contains the end of the log.
void GroupConsumer::Impl::CheckReading() {
  ReadWatermarks();
  const bool reading = assigned_ && std::ranges::all_of(partitions_, [](const auto& partition) {
                         return partition->high_watermark >= 0;
                       });
  if (!reading) return;
  const std::lock_guard lock(mutex_);
  reading_ = true;
  reading_changed_.notify_all();
}

bool GroupConsumer::Impl::WaitUntilReading(SteadyTime deadline) const {
  std::unique_lock lock(mutex_);
  return reading_changed_.wait_until(lock, deadline, [this] { return reading_; });
}

void GroupConsumer::Impl::CommitCompleted() {
  ReadWatermarks();
  const PartitionList offsets = TakeUncommitted();
  if (offsets->cnt == 0) return;
  if (TOCSIN_FAILS_AT("commit"))
    OnOffsetCommit(RD_KAFKA_RESP_ERR__FAIL, offsets.get());
  else
    rd_kafka_commit(GetClient(), offsets.get(), 1);
}

void GroupConsumer::Impl::OnOffsetCommit(rd_kafka_resp_err_t error,
                                         const rd_kafka_topic_partition_list_t* offsets) {
  if (error == RD_KAFKA_RESP_ERR__NO_OFFSET || offsets == nullptr) return;
  for (int i = 0; i < offsets->cnt; ++i) {
    const rd_kafka_topic_partition_t& offset = offsets->elems[i];
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR && offset.err == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    if (Partition* const partition = Find(offset.topic, offset.partition))
      partition->commit = -1;  // committed again after the next interval
  }
}

Partition* GroupConsumer::Impl::Find(std::string_view topic, std::int32_t number) const {
  for (const auto& partition : partitions_)
    if (partition->number == number && partition->topic == topic) return partition.get();
  return nullptr;
}

std::vector<PartitionGauge> GroupConsumer::Impl::Gauges() const {
  const std::lock_guard lock(mutex_);
  std::vector<PartitionGauge> gauges;
  for (const auto& partition : partitions_) {
    PartitionGauge gauge{.topic = partition->topic,
                         .partition = partition->number,
                         .lag = -1,
                         .in_flight = partition->progress->InFlight(),
                         .oldest_uncompleted = partition->progress->OldestUncompleted()};
    const std::int64_t completed = partition->progress->CommitOffset().value_or(partition->start);
    const std::int64_t end = partition->high_watermark;
    if (completed >= 0 && end >= 0) gauge.lag = std::max<std::int64_t>(0, end - completed);
    gauges.push_back(std::move(gauge));
  }
  return gauges;
}

bool GroupConsumer::Impl::IsAssigned(const std::string& topic, std::int32_t partition) const {
  const std::lock_guard lock(mutex_);
  return Find(topic, partition) != nullptr;
}

Result<std::unique_ptr<GroupConsumer>> GroupConsumer::Start(const KafkaSettings& settings,
                                                            GroupOptions options, Handler handler,
                                                            Hooks hooks) {
  const auto impl =
      std::make_shared<Impl>(std::move(options), std::move(handler), std::move(hooks));
  const GroupOptions& given = impl->Options();
  TOCSIN_CHECK_OK(impl->Start(settings,
                              {.group = given.group,
                               .session_timeout = given.session_timeout,
                               .heartbeat_interval = given.heartbeat_interval,
                               .out_of_range_timeout = given.out_of_range_timeout,
                               .fetch = given.fetch,
                               .queue_records = given.queue_records,
                               .queue_kbytes = given.queue_kbytes},
                              given.topics));
  return std::unique_ptr<GroupConsumer>(new GroupConsumer(impl));
}

GroupConsumer::GroupConsumer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
GroupConsumer::~GroupConsumer() { Stop(); }

bool GroupConsumer::Stop() { return impl_->Stop(impl_->Options().drain_timeout + kCloseTimeout); }
std::vector<PartitionGauge> GroupConsumer::Gauges() const { return impl_->Gauges(); }
bool GroupConsumer::WaitUntilReading(SteadyTime deadline) const {
  return impl_->WaitUntilReading(deadline);
}
bool GroupConsumer::IsAssigned(const std::string& topic, std::int32_t partition) const {
  return impl_->IsAssigned(topic, partition);
}

}  // namespace tocsin::kafka
