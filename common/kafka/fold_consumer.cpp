#include "common/kafka/fold_consumer.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "common/base/time.h"
#include "common/kafka/member.h"

namespace tocsin::kafka {
namespace {

constexpr std::chrono::seconds kStopLimit{70};

struct Partition {
  std::string topic;
  std::int32_t number = 0;
  std::int64_t next = -1;     // offset expected of the next record; -1 before the first
  std::int64_t folded = -1;   // offset after the last folded record
  std::int64_t hinted = -1;   // committed as a hint
  std::int64_t doubted = -1;  // a gap was seen here and read again
  Watermarks log;
};

}  // namespace

class FoldConsumer::Impl final : public Member {
 public:
  Impl(FoldOptions options, Folding folding, Hooks hooks)
      : Member(std::move(hooks)), options_(std::move(options)), folding_(std::move(folding)) {}

  const FoldOptions& Options() const { return options_; }
  std::vector<FoldGauge> Gauges() const;

 protected:
  void Run() override;
  void Assign(rd_kafka_topic_partition_list_t* partitions) override;
  void Revoke() override;
  void Lose() override;

 private:
  void Gather();
  bool Add(const rd_kafka_message_t& message);
  void Fold();
  void Recover();
  bool Reposition();
  Status AskPosition(Partition& partition);
  void Hint(bool wait);
  Partition* Find(std::string_view topic, std::int32_t number);

  const FoldOptions options_;
  const Folding folding_;
  mutable std::mutex mutex_;  // guards partitions_ against Gauges(); the thread alone writes
  std::vector<Partition> partitions_;
  // Of the records in the batch: it is emptied in several places.
  size_t BatchBytes() const { return batch_.empty() ? 0 : batch_bytes_; }

  std::vector<IncomingRecord> batch_;
  size_t batch_bytes_ = 0;
  bool adrift_ = false;  // positions are not those of the store: nothing read now may be folded
};

void FoldConsumer::Impl::Run() {
  SteadyTime hint_at{};
  while (!Stopping()) {
    Gather();
    if (adrift_)
      Recover();
    else if (!batch_.empty())
      Fold();
    const SteadyTime now = std::chrono::steady_clock::now();
    if (now < hint_at) continue;
    Hint(false);
    hint_at = now + options_.hint_interval;
  }
}

void FoldConsumer::Impl::Gather() {
  SteadyTime deadline = std::chrono::steady_clock::now() + kPollRound;
  while (!Stopping() && !adrift_ && batch_.size() < options_.max_records &&
         BatchBytes() < options_.max_bytes) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return;
    const Message message = Poll(left);  // a rebalance within empties the batch
    if (message && Add(*message) && batch_.size() == 1)
      deadline = std::chrono::steady_clock::now() + options_.max_wait;
  }
}

bool FoldConsumer::Impl::Add(const rd_kafka_message_t& message) {
  Partition* const partition = Find(rd_kafka_topic_name(message.rkt), message.partition);
  if (partition == nullptr || message.offset < partition->next) return false;
  // Logs have gaps (compaction, transactions), but a jump of the reader would look the same: a gap
  // is read again once before it is believed.
  if (partition->next >= 0 && message.offset > partition->next &&
      partition->doubted != partition->next) {
    partition->doubted = partition->next;
    if (Seek(partition->topic, partition->number, partition->next)) return false;
  }
  partition->next = message.offset + 1;
  batch_bytes_ = BatchBytes() + message.len;
  batch_.push_back(ToRecord(message));
  return true;
}

void FoldConsumer::Impl::Fold() {
  const Status folded = folding_.fold(batch_);
  if (!folded) {
    Log(4, "a batch is not folded: " + folded.error().message);
    batch_.clear();
    adrift_ = true;
    return;
  }
  const std::lock_guard lock(mutex_);
  for (const IncomingRecord& record : batch_)
    if (Partition* const partition = Find(record.position.topic(), record.position.partition()))
      partition->folded = record.position.offset() + 1;
  batch_.clear();
}

void FoldConsumer::Impl::Recover() {
  std::chrono::milliseconds wait = options_.retry_base;
  while (!Stopping() && adrift_) {
    const SteadyTime until = std::chrono::steady_clock::now() + wait;
    // Polling keeps the membership; what it brings is read again after the seek.
    while (!Stopping() && std::chrono::steady_clock::now() < until)
      Poll(std::min(wait, kPollRound));
    adrift_ = !Reposition();
    wait = std::min(wait * 2, options_.retry_cap);
  }
}

bool FoldConsumer::Impl::Reposition() {
  for (Partition& partition : partitions_) {
    if (const Status asked = AskPosition(partition); !asked) {
      Log(4, "positions cannot be read: " + asked.error().message);
      return false;
    }
    const std::int64_t offset = partition.next < 0 ? RD_KAFKA_OFFSET_BEGINNING : partition.next;
    if (!Seek(partition.topic, partition.number, offset)) return false;
  }
  return true;
}

Status FoldConsumer::Impl::AskPosition(Partition& partition) {
  TOCSIN_TRY(const std::optional<std::int64_t> position,
             folding_.position(partition.topic, partition.number));
  const std::lock_guard lock(mutex_);
  partition.next = partition.folded = position.value_or(-1);
  partition.doubted = -1;
  return {};
}

void FoldConsumer::Impl::Assign(rd_kafka_topic_partition_list_t* partitions) {
  std::vector<Partition> taken;
  bool known = true;
  for (int i = 0; i < partitions->cnt; ++i) {
    rd_kafka_topic_partition_t& given = partitions->elems[i];
    Partition& partition = taken.emplace_back();
    partition.topic = given.topic;
    partition.number = given.partition;
    if (const Status asked = known ? AskPosition(partition) : Status(); !asked) {
      Log(4, "positions cannot be read: " + asked.error().message);
      known = false;
    }
    given.offset = partition.next < 0 ? RD_KAFKA_OFFSET_BEGINNING : partition.next;
  }
  const std::lock_guard lock(mutex_);
  partitions_ = std::move(taken);
  batch_.clear();
  adrift_ = !known;  // Recover() asks until it is told
}

void FoldConsumer::Impl::Revoke() {
  Hint(true);
  Lose();
}

void FoldConsumer::Impl::Lose() {
  const std::lock_guard lock(mutex_);
  partitions_.clear();
  batch_.clear();
}

void FoldConsumer::Impl::Hint(bool wait) {
  const PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(partitions_.size())));
  {
    const std::lock_guard lock(mutex_);
    for (Partition& partition : partitions_) {
      rd_kafka_get_watermark_offsets(GetClient(), partition.topic.c_str(), partition.number,
                                     &partition.log.low, &partition.log.high);
      if (partition.folded < 0 || partition.folded == partition.hinted) continue;
      partition.hinted = partition.folded;
      rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), partition.number)
          ->offset = partition.folded;
    }
  }
  if (list->cnt == 0) return;
  if (wait)
    CommitAndWait(GetClient(), list.get(), kCommitLimit);
  else
    rd_kafka_commit(GetClient(), list.get(), 1);
}

Partition* FoldConsumer::Impl::Find(std::string_view topic, std::int32_t number) {
  for (Partition& partition : partitions_)
    if (partition.number == number && partition.topic == topic) return &partition;
  return nullptr;
}

std::vector<FoldGauge> FoldConsumer::Impl::Gauges() const {
  const std::lock_guard lock(mutex_);
  std::vector<FoldGauge> gauges;
  for (const Partition& partition : partitions_)
    gauges.push_back({.topic = partition.topic,
                      .partition = partition.number,
                      .next = partition.folded,
                      .log = partition.log});
  return gauges;
}

Result<std::unique_ptr<FoldConsumer>> FoldConsumer::Start(const KafkaSettings& settings,
                                                          FoldOptions options, Folding folding,
                                                          Hooks hooks) {
  const auto impl =
      std::make_shared<Impl>(std::move(options), std::move(folding), std::move(hooks));
  const FoldOptions& given = impl->Options();
  TOCSIN_CHECK_OK(impl->Start(settings,
                              {.group = given.group,
                               .session = given.session,
                               .heartbeat = given.heartbeat,
                               .queue_records = given.queue_records,
                               .queue_kbytes = given.queue_kbytes},
                              given.topics));
  return std::unique_ptr<FoldConsumer>(new FoldConsumer(impl));
}

FoldConsumer::FoldConsumer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
FoldConsumer::~FoldConsumer() { Stop(); }

bool FoldConsumer::Stop() { return impl_->Stop(kStopLimit); }
std::vector<FoldGauge> FoldConsumer::Gauges() const { return impl_->Gauges(); }

std::optional<Watermarks> FoldConsumer::LogOf(const std::string& topic,
                                              std::int32_t partition) const {
  for (const FoldGauge& gauge : impl_->Gauges())
    if (gauge.topic == topic && gauge.partition == partition) return gauge.log;
  return std::nullopt;
}

}  // namespace tocsin::kafka
