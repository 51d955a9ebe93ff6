#include "common/kafka/group_consumer.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "common/base/failpoint.h"
#include "common/kafka/member.h"

namespace tocsin::kafka {
namespace {

constexpr std::chrono::milliseconds kPositionLimit{5'000};    // one question for committed offsets
constexpr std::chrono::milliseconds kPositionsLimit{60'000};  // all of them, while the group waits
constexpr std::chrono::milliseconds kPositionAgain{200};
constexpr std::chrono::seconds kClockSkew{5};  // of who writes the log and who reads it

struct Partition {
  std::string topic;
  std::int32_t number = 0;
  const WallTime assigned = std::chrono::floor<Micros>(std::chrono::system_clock::now());
  std::shared_ptr<PartitionProgress> progress = std::make_shared<PartitionProgress>();
  std::deque<IncomingRecord> refused;  // at most high_water and what librdkafka still held
  bool paused = false;
  std::int64_t next = -1;     // offset expected of the next record; -1 before the first
  std::int64_t doubted = -1;  // a gap was seen here and read again
  std::int64_t asked = -1;    // committed, or being committed
  std::int64_t start = -1;    // committed when it was assigned; -1: nothing was
  std::atomic<std::int64_t> end{-1};
};

}  // namespace

class GroupConsumer::Impl final : public Member {
 public:
  Impl(GroupOptions options, Take take, Hooks hooks)
      : Member(std::move(hooks)), options_(std::move(options)), take_(std::move(take)) {}

  const GroupOptions& Options() const { return options_; }
  void Hold(bool hold) { hold_ = hold; }
  std::vector<PartitionGauge> Gauges() const;
  bool Owns(const std::string& topic, std::int32_t partition) const;

  void OnCommit(rd_kafka_resp_err_t error, const rd_kafka_topic_partition_list_t* offsets) override;

 protected:
  void Run() override;
  void Assign(rd_kafka_topic_partition_list_t* partitions) override;
  void Revoke() override;
  void Lose() override;

 private:
  void Receive(const rd_kafka_message_t& message);
  bool SkipsUnread(Partition& partition, std::int64_t offset);
  bool Offer(Partition& partition, IncomingRecord& record);
  void OfferAgain();
  void SettleFlow(Partition& partition);
  void SetPaused(Partition& partition, bool paused);
  bool FetchCommitted(rd_kafka_topic_partition_list_t* partitions);
  PartitionList Unsaved();  // prefixes that are not committed yet
  void CommitFinished();
  Partition* Find(std::string_view topic, std::int32_t number) const;

  const GroupOptions options_;
  const Take take_;
  std::atomic<bool> hold_{false};
  mutable std::mutex
      mutex_;  // guards the vector against Gauges() and Owns(); the thread alone writes
  std::vector<std::unique_ptr<Partition>> partitions_;
  size_t refused_ = 0;  // partitions with refused records
  size_t turn_ = 0;     // the partition whose refused record is offered first
};

void GroupConsumer::Impl::Run() {
  SteadyTime commit_at = std::chrono::steady_clock::now() + options_.commit_interval;
  SteadyTime offer_at{};
  while (!Stopping()) {
    const bool waiting = refused_ > 0 && !hold_;
    const Message message = Poll(waiting ? options_.offer_again : kPollRound);
    if (message) Receive(*message);
    const SteadyTime now = std::chrono::steady_clock::now();
    if (now >= offer_at) {
      OfferAgain();
      offer_at = now + options_.offer_again;
    }
    if (now >= commit_at) {
      CommitFinished();
      commit_at = now + options_.commit_interval;
    }
  }
}

void GroupConsumer::Impl::Receive(const rd_kafka_message_t& message) {
  Partition* const partition = Find(rd_kafka_topic_name(message.rkt), message.partition);
  if (partition == nullptr || SkipsUnread(*partition, message.offset)) return;
  IncomingRecord record = ToRecord(message);
  // False for one handed out before: librdkafka 2.0.2 can jump back after a pause.
  if (!partition->progress->Begin(message.offset, record.append_time)) return;
  record.inherited = record.append_time < partition->assigned + kClockSkew;
  partition->next = message.offset + 1;
  const bool offered = !hold_ && partition->refused.empty() && !TOCSIN_FAILS_AT("after_poll");
  if (offered && Offer(*partition, record)) return;
  if (partition->refused.empty()) ++refused_;
  partition->refused.push_back(std::move(record));
  SettleFlow(*partition);
}

// A gap is read again once before it is believed: logs have gaps (compaction, transactions), but a
// jump after a pause would look the same and lose records.
bool GroupConsumer::Impl::SkipsUnread(Partition& partition, std::int64_t offset) {
  if (partition.next < 0 || offset <= partition.next || partition.doubted == partition.next)
    return false;
  partition.doubted = partition.next;
  return Seek(partition.topic, partition.number, partition.next);
}

bool GroupConsumer::Impl::Offer(Partition& partition, IncomingRecord& record) {
  const std::int64_t offset = record.position.offset();
  return take_(std::move(record), Done(partition.progress, offset));
}

// One of each partition in turn, so that none waits for the backlog of another; the next time goes
// on behind the last that was taken.
void GroupConsumer::Impl::OfferAgain() {
  bool taken = true;
  while (taken && !hold_ && !Stopping()) {
    taken = false;
    const size_t first = turn_;
    for (size_t i = 0; i < partitions_.size(); ++i) {
      const size_t at = (first + i) % partitions_.size();
      auto& refused = partitions_[at]->refused;
      if (refused.empty() || !Offer(*partitions_[at], refused.front())) continue;
      refused.pop_front();
      if (refused.empty()) --refused_;
      turn_ = at + 1;
      taken = true;
    }
  }
  for (const auto& partition : partitions_) SettleFlow(*partition);
}

// Pauses and resumes as the marks and PauseAll() ask. Only what was paused here is resumed.
void GroupConsumer::Impl::SettleFlow(Partition& partition) {
  const size_t mark = partition.paused ? options_.low_water + 1 : options_.high_water;
  const bool wanted = hold_ || partition.refused.size() >= mark;
  if (wanted != partition.paused) SetPaused(partition, wanted);
}

void GroupConsumer::Impl::SetPaused(Partition& partition, bool paused) {
  const PartitionList list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), partition.number);
  const auto error = paused ? rd_kafka_pause_partitions(GetClient(), list.get())
                            : rd_kafka_resume_partitions(GetClient(), list.get());
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) partition.paused = paused;
}

void GroupConsumer::Impl::Assign(rd_kafka_topic_partition_list_t* partitions) {
  if (!FetchCommitted(partitions)) {
    partitions->cnt = 0;  // take none; Fail() was called
    return;
  }
  const std::lock_guard lock(mutex_);
  for (int i = 0; i < partitions->cnt; ++i) {
    rd_kafka_topic_partition_t& given = partitions->elems[i];
    auto partition = std::make_unique<Partition>();
    partition->topic = given.topic;
    partition->number = given.partition;
    if (given.offset < 0)
      given.offset = RD_KAFKA_OFFSET_BEGINNING;
    else
      partition->start = partition->next = partition->asked = given.offset;
    partitions_.push_back(std::move(partition));
  }
}

bool GroupConsumer::Impl::FetchCommitted(rd_kafka_topic_partition_list_t* partitions) {
  const SteadyTime deadline = std::chrono::steady_clock::now() + kPositionsLimit;
  while (!Stopping()) {
    const auto error = rd_kafka_committed(GetClient(), partitions, ToMs(kPositionLimit));
    bool whole = error == RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int i = 0; i < partitions->cnt; ++i)
      whole = whole && partitions->elems[i].err == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (whole) return true;
    if (std::chrono::steady_clock::now() >= deadline) {
      Fail(ErrorCode::kKafkaUnavailable, "the committed offsets cannot be read: " + TextOf(error));
      return false;
    }
    std::this_thread::sleep_for(kPositionAgain);
  }
  return false;
}

void GroupConsumer::Impl::Revoke() {
  const SteadyTime deadline = std::chrono::steady_clock::now() + options_.drain;
  for (const auto& partition : partitions_)
    if (!partition->progress->WaitIdle(deadline))
      Log(5, NameOfPartition(partition->topic, partition->number) + " leaves with " +
                 std::to_string(partition->progress->InFlight()) + " records in flight");
  const PartitionList unsaved = Unsaved();
  if (unsaved->cnt > 0 && !TOCSIN_FAILS_AT("revoke")) {
    const auto error = CommitAndWait(GetClient(), unsaved.get(), kCommitLimit);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
      Log(4, "the last commit before partitions leave: " + TextOf(error));
  }
  Lose();
}

void GroupConsumer::Impl::Lose() {
  const std::lock_guard lock(mutex_);
  for (const auto& partition : partitions_) partition->progress->Lose();
  partitions_.clear();
  refused_ = 0;
}

PartitionList GroupConsumer::Impl::Unsaved() {
  PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(partitions_.size())));
  for (const auto& partition : partitions_) {
    const auto prefix = partition->progress->Prefix();
    if (!prefix || *prefix == partition->asked) continue;
    partition->asked = *prefix;
    rd_kafka_topic_partition_list_add(list.get(), partition->topic.c_str(), partition->number)
        ->offset = *prefix;
  }
  return list;
}

void GroupConsumer::Impl::CommitFinished() {
  for (const auto& partition : partitions_) {
    std::int64_t low = -1;
    std::int64_t high = -1;  // as the last fetch saw it: no request
    if (rd_kafka_get_watermark_offsets(GetClient(), partition->topic.c_str(), partition->number,
                                       &low, &high) == RD_KAFKA_RESP_ERR_NO_ERROR)
      partition->end = high;
  }
  const PartitionList unsaved = Unsaved();
  if (unsaved->cnt == 0) return;
  if (TOCSIN_FAILS_AT("commit"))
    OnCommit(RD_KAFKA_RESP_ERR__FAIL, unsaved.get());
  else
    rd_kafka_commit(GetClient(), unsaved.get(), 1);
}

void GroupConsumer::Impl::OnCommit(rd_kafka_resp_err_t error,
                                   const rd_kafka_topic_partition_list_t* offsets) {
  if (error == RD_KAFKA_RESP_ERR__NO_OFFSET || offsets == nullptr) return;
  for (int i = 0; i < offsets->cnt; ++i) {
    const rd_kafka_topic_partition_t& offset = offsets->elems[i];
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR && offset.err == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    if (Partition* const partition = Find(offset.topic, offset.partition))
      partition->asked = -1;  // with the next interval
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
                         .oldest_open = partition->progress->OldestOpen()};
    const std::int64_t finished = partition->progress->Prefix().value_or(partition->start);
    const std::int64_t end = partition->end;
    if (finished >= 0 && end >= 0) gauge.lag = std::max<std::int64_t>(0, end - finished);
    gauges.push_back(std::move(gauge));
  }
  return gauges;
}

bool GroupConsumer::Impl::Owns(const std::string& topic, std::int32_t partition) const {
  const std::lock_guard lock(mutex_);
  return Find(topic, partition) != nullptr;
}

Result<std::unique_ptr<GroupConsumer>> GroupConsumer::Start(const KafkaSettings& settings,
                                                            GroupOptions options, Take take,
                                                            Hooks hooks) {
  const auto impl = std::make_shared<Impl>(std::move(options), std::move(take), std::move(hooks));
  const GroupOptions& given = impl->Options();
  TOCSIN_CHECK_OK(impl->Start(settings,
                              {.group = given.group,
                               .session = given.session,
                               .heartbeat = given.heartbeat,
                               .queue_records = given.queue_records,
                               .queue_kbytes = given.queue_kbytes},
                              given.topics));
  return std::unique_ptr<GroupConsumer>(new GroupConsumer(impl));
}

GroupConsumer::GroupConsumer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
GroupConsumer::~GroupConsumer() { Stop(); }

void GroupConsumer::PauseAll() { impl_->Hold(true); }
void GroupConsumer::ResumeAll() { impl_->Hold(false); }
bool GroupConsumer::Stop() { return impl_->Stop(impl_->Options().drain + kCloseLimit); }
std::vector<PartitionGauge> GroupConsumer::Gauges() const { return impl_->Gauges(); }
bool GroupConsumer::Owns(const std::string& topic, std::int32_t partition) const {
  return impl_->Owns(topic, partition);
}

}  // namespace tocsin::kafka
