#include "common/kafka/projection_consumer.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "common/base/time.h"
#include "common/kafka/group_member.h"

namespace tocsin::kafka {
namespace {

constexpr std::chrono::seconds kStopTimeout{70};

struct Partition {
  std::string topic;
  std::int32_t number = 0;
  std::int64_t position = -1;   // offset of the next record to read; -1 before the first
  std::int64_t applied = -1;    // offset after the last applied record
  std::int64_t committed = -1;  // the last value of `applied` that was committed
  std::int64_t reread_at = -1;  // position of a gap that was read again
  Watermarks watermarks;
};

}  // namespace

class ProjectionConsumer::Impl final : public GroupMember {
 public:
  Impl(ProjectionOptions options, ProjectionStore store, Hooks hooks)
      : GroupMember(std::move(hooks)), options_(std::move(options)), store_(std::move(store)) {}

  const ProjectionOptions& Options() const { return options_; }
  std::vector<ProjectionGauge> Gauges() const;

 protected:
  void Run() override;
  void OnPartitionsAssigned(rd_kafka_topic_partition_list_t* partitions) override;
  void OnPartitionsRevoked() override;
  void OnPartitionsLost() override;

 private:
  void CollectBatch();
  std::chrono::milliseconds Patience() const;
  bool Add(const rd_kafka_message_t& message);
  void Apply();
  void CheckStore();
  void Recover();
  bool SeekToStoredOffsets();
  Status ReadOffset(Partition& partition);
  void CommitApplied(bool wait);
  Partition* Find(std::string_view topic, std::int32_t number);
  size_t BatchBytes() const { return batch_.empty() ? 0 : batch_bytes_; }

  const ProjectionOptions options_;
  const ProjectionStore store_;
  mutable std::mutex mutex_;  // for Gauges(); only the member's thread writes partitions_
  std::vector<Partition> partitions_;
  std::vector<IncomingRecord> batch_;
  size_t batch_bytes_ = 0;    // valid unless batch_ is empty
  bool out_of_sync_ = false;  // positions differ from the store's: records must not be applied
  SteadyTime check_time_{};   // when to check the store if there is no batch until then
};

void ProjectionConsumer::Impl::Run() {
  SteadyTime commit_at{};
  while (!Stopping()) {
    CollectBatch();
    if (out_of_sync_)
      Recover();
    else if (!batch_.empty())
      Apply();
    else
      CheckStore();
    const SteadyTime now = std::chrono::steady_clock::now();
    if (now < commit_at) continue;
    CommitApplied(/*wait=*/false);
    commit_at = now + options_.commit_interval;
  }
}

void ProjectionConsumer::Impl::CollectBatch() {
  const SteadyTime begin = std::chrono::steady_clock::now();
  SteadyTime first_at = begin;  // of the batch
  while (!Stopping() && !out_of_sync_ && batch_.size() < options_.max_records &&
         BatchBytes() < options_.max_bytes) {
    const SteadyTime now = std::chrono::steady_clock::now();
    if (batch_.empty() ? now >= begin + kPollTimeout : now >= first_at + Patience()) return;
    // A rebalance clears the batch.
    const Message message = Poll(batch_.empty() ? kPollTimeout : options_.min_wait);
    if (message && Add(*message) && batch_.size() == 1) first_at = std::chrono::steady_clock::now();
  }
}

std::chrono::milliseconds ProjectionConsumer::Impl::Patience() const {
  return !store_.awaited || store_.awaited() ? options_.min_wait : options_.max_wait;
}

bool ProjectionConsumer::Impl::Add(const rd_kafka_message_t& message) {
  Partition* const partition = Find(rd_kafka_topic_name(message.rkt), message.partition);
  if (partition == nullptr || message.offset < partition->position) return false;
  // Logs have gaps (compaction, transactions), but a jump of the consumer would look the same: a
  // gap is read again once before the records behind it are accepted. If the consumer cannot be set
  // back, the record is dropped, and the next one shows the same gap.
  if (partition->position >= 0 && message.offset > partition->position &&
      partition->reread_at != partition->position) {
    if (Seek(partition->topic, partition->number, partition->position))
      partition->reread_at = partition->position;
    return false;
  }
  partition->position = message.offset + 1;
  batch_bytes_ = BatchBytes() + message.len;
  batch_.push_back(ToRecord(message));
  return true;
}

void ProjectionConsumer::Impl::Apply() {
  check_time_ = std::chrono::steady_clock::now() + options_.check_interval;
  if (!store_.apply(batch_)) {
    batch_.clear();
    out_of_sync_ = true;
    return;
  }
  const std::lock_guard lock(mutex_);
  for (const IncomingRecord& record : batch_)
    if (Partition* const partition = Find(record.position.topic(), record.position.partition()))
      partition->applied = record.position.offset() + 1;
  batch_.clear();
}

// A batch postpones the check, because the store compares its offsets.
void ProjectionConsumer::Impl::CheckStore() {
  const SteadyTime now = std::chrono::steady_clock::now();
  if (!store_.check || now < check_time_) return;
  check_time_ = now + options_.check_interval;
  out_of_sync_ = !store_.check();
}

void ProjectionConsumer::Impl::Recover() {
  std::chrono::milliseconds wait = options_.retry_base;
  while (!Stopping() && out_of_sync_) {
    const SteadyTime until = std::chrono::steady_clock::now() + wait;
    // Polling keeps the membership; the records are read again after the seek.
    while (!Stopping() && std::chrono::steady_clock::now() < until)
      Poll(std::min(wait, kPollTimeout));
    out_of_sync_ = !SeekToStoredOffsets();
    wait = std::min(wait * 2, options_.retry_cap);
  }
}

bool ProjectionConsumer::Impl::SeekToStoredOffsets() {
  for (Partition& partition : partitions_) {
    if (!ReadOffset(partition)) return false;
    const std::int64_t offset =
        partition.position < 0 ? RD_KAFKA_OFFSET_BEGINNING : partition.position;
    if (!Seek(partition.topic, partition.number, offset)) return false;
  }
  return true;
}

Status ProjectionConsumer::Impl::ReadOffset(Partition& partition) {
  TOCSIN_TRY(const std::optional<std::int64_t> offset,
             store_.next_offset(partition.topic, partition.number));
  const std::lock_guard lock(mutex_);
  partition.position = partition.applied = offset.value_or(-1);
  partition.reread_at = -1;
  return {};
}

void ProjectionConsumer::Impl::OnPartitionsAssigned(rd_kafka_topic_partition_list_t* partitions) {
  std::vector<Partition> assigned;
  bool offsets_known = true;
  for (int i = 0; i < partitions->cnt; ++i) {
    rd_kafka_topic_partition_t& element = partitions->elems[i];
    Partition& partition = assigned.emplace_back();
    partition.topic = element.topic;
    partition.number = element.partition;
    if (offsets_known && !ReadOffset(partition)) offsets_known = false;
    element.offset = partition.position < 0 ? RD_KAFKA_OFFSET_BEGINNING : partition.position;
  }
  const std::lock_guard lock(mutex_);
  partitions_ = std::move(assigned);
  batch_.clear();
  out_of_sync_ = !offsets_known;  // Recover() reads them again
}

void ProjectionConsumer::Impl::OnPartitionsRevoked() {
  CommitApplied(/*wait=*/true);
  OnPartitionsLost();
}

void ProjectionConsumer::Impl::OnPartitionsLost() {
  const std::lock_guard lock(mutex_);
  partitions_.clear();
  batch_.clear();
}

void ProjectionConsumer::Impl::CommitApplied(bool wait) {
  const PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(partitions_.size())));
  {
    const std::lock_guard lock(mutex_);
    for (Partition& partition : partitions_) {
      rd_kafka_get_watermark_offsets(GetClient(), partition.topic.c_str(), partition.number,
                                     &partition.watermarks.low, &partition.watermarks.high);
      if (partition.applied < 0 || partition.applied == partition.committed) continue;
      partition.committed = partition.applied;
      rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), partition.number)
          ->offset = partition.applied;
    }
  }
  if (list->cnt == 0) return;
  if (wait)
    CommitAndWait(GetClient(), list.get(), kCommitTimeout);
  else
    rd_kafka_commit(GetClient(), list.get(), 1);
}

Partition* ProjectionConsumer::Impl::Find(std::string_view topic, std::int32_t number) {
  for (Partition& partition : partitions_)
    if (partition.number == number && partition.topic == topic) return &partition;
  return nullptr;
}

std::vector<ProjectionGauge> ProjectionConsumer::Impl::Gauges() const {
  const std::lock_guard lock(mutex_);
  std::vector<ProjectionGauge> gauges;
  for (const Partition& partition : partitions_)
    gauges.push_back({.topic = partition.topic,
                      .partition = partition.number,
                      .next_offset = partition.applied,
                      .watermarks = partition.watermarks});
  return gauges;
}

Result<std::unique_ptr<ProjectionConsumer>> ProjectionConsumer::Start(const KafkaSettings& settings,
                                                                      ProjectionOptions options,
                                                                      ProjectionStore store,
                                                                      Hooks hooks) {
  const auto impl = std::make_shared<Impl>(std::move(options), std::move(store), std::move(hooks));
  const ProjectionOptions& given = impl->Options();
  TOCSIN_CHECK_OK(impl->Start(settings,
                              {.group = given.group,
                               .session_timeout = given.session_timeout,
                               .heartbeat_interval = given.heartbeat_interval,
                               .out_of_range_timeout = given.out_of_range_timeout,
                               .fetch = given.fetch,
                               .queue_records = given.queue_records,
                               .queue_kbytes = given.queue_kbytes},
                              given.topics));
  return std::unique_ptr<ProjectionConsumer>(new ProjectionConsumer(impl));
}

ProjectionConsumer::ProjectionConsumer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
ProjectionConsumer::~ProjectionConsumer() { Stop(); }

bool ProjectionConsumer::Stop() { return impl_->Stop(kStopTimeout); }
std::vector<ProjectionGauge> ProjectionConsumer::Gauges() const { return impl_->Gauges(); }

}  // namespace tocsin::kafka
