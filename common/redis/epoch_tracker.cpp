#include "common/redis/epoch_tracker.h"

#include "common/base/digest.h"
#include "common/base/encoding.h"
#include "common/base/failpoint.h"

namespace tocsin::redis {
namespace {

std::string RandomId() { return HexEncode(RandomBytes(16)); }

std::string Marker(std::string_view epoch_id, std::string_view identity) {
  return std::string(epoch_id).append("@").append(identity);
}

}  // namespace

void EpochTracker::AdoptedEpoch::Confirm(std::int64_t count) {
  std::int64_t highest = write_count.load();
  while (highest < count && !write_count.compare_exchange_weak(highest, count)) {
  }
}

EpochTracker::EpochTracker(Keys keys, bool requires_restore, std::function<void()> on_data_loss,
                           std::function<void()> on_restart)
    : keys_(std::move(keys)),
      requires_restore_(requires_restore),
      on_data_loss_(std::move(on_data_loss)),
      on_restart_(std::move(on_restart)) {
  // Without an epoch all scripts fail until Adopt().
  if (requires_restore_) SetCurrent({});
}

std::shared_ptr<EpochTracker::AdoptedEpoch> EpochTracker::Current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

void EpochTracker::SetCurrent(const std::string& epoch_id) {
  current_ = std::make_shared<AdoptedEpoch>();
  current_->id = epoch_id;
  if (!requires_restore_) current_->process_id = RandomId();
}

Status EpochTracker::OnConnect(Connection& connection, const ServerInfo& info,
                               SteadyTime deadline) {
  std::string last;
  {
    const std::lock_guard lock(mutex_);
    if (current_ != nullptr) last = identity_;
  }
  if (last == info.identity) return {};
  if (!last.empty()) {
    TOCSIN_CHECK_OK(requires_restore_ ? CheckRestored(connection, info, deadline)
                                      : CheckWriteCount(connection, deadline));
  } else if (!requires_restore_) {
    TOCSIN_CHECK_OK(AdoptCurrent(connection, deadline));
  }
  {
    const std::lock_guard lock(mutex_);
    identity_ = info.identity;
  }
  if (!last.empty() && on_restart_) on_restart_();
  return {};
}

Status EpochTracker::AdoptCurrent(Connection& connection, SteadyTime deadline) {
  TOCSIN_CHECK_OK(connection.Execute({"SET", keys_.Epoch(), RandomId(), "NX"}, deadline));
  TOCSIN_TRY(const Reply epoch, connection.Execute({"GET", keys_.Epoch()}, deadline));
  if (epoch.text.empty()) return Fail(Unavailable("the epoch was deleted"));
  const std::lock_guard lock(mutex_);
  if (current_ == nullptr || current_->id != epoch.text) SetCurrent(epoch.text);
  return {};
}

Status EpochTracker::CheckWriteCount(Connection& connection, SteadyTime deadline) {
  const std::shared_ptr<AdoptedEpoch> current = Current();
  const std::int64_t confirmed = current->write_count.load();
  if (confirmed == 0) return {};
  TOCSIN_TRY(const Reply epoch, connection.Execute({"GET", keys_.Epoch()}, deadline));
  if (epoch.text != current->id) return Fail(ReportDataLoss(*current));
  TOCSIN_TRY(Reply count,
             connection.Execute({"HGET", keys_.WriteCounts(), current->process_id}, deadline));
  Reply stored;
  stored.items.push_back(std::move(count));
  if (stored.Number(0) >= confirmed) return {};
  TOCSIN_CHECK_OK(connection.Execute({"SET", keys_.Epoch(), RandomId()}, deadline));
  return Fail(ReportDataLoss(*current));
}

// Does not fail on a loss: the restoration needs the connection. Scripts fail, because the epoch
// was replaced.
Status EpochTracker::CheckRestored(Connection& connection, const ServerInfo& info,
                                   SteadyTime deadline) {
  const std::shared_ptr<AdoptedEpoch> current = Current();
  TOCSIN_TRY(const Reply epoch, connection.Execute({"GET", keys_.Epoch()}, deadline));
  TOCSIN_TRY(const Reply marker, connection.Execute({"GET", keys_.Restored()}, deadline));
  const bool restored = marker.text == Marker(epoch.text, info.identity);
  if (restored && epoch.text == current->id) return {};
  // A restoration in progress started before the restart of Redis and has to start again.
  if (!restored) TOCSIN_CHECK_OK(connection.Execute({"SET", keys_.Epoch(), RandomId()}, deadline));
  ReportDataLoss(*current);
  return {};
}

std::string EpochTracker::RestoredMarker(std::string_view epoch_id) const {
  const std::lock_guard lock(mutex_);
  return Marker(epoch_id, identity_);
}

void EpochTracker::Adopt(const std::string& epoch_id, WallTime complete_since) {
  const std::lock_guard lock(mutex_);
  SetCompleteSince(complete_since);
  if (current_ == nullptr || current_->id != epoch_id) SetCurrent(epoch_id);
}

Error EpochTracker::ReportDataLoss(const AdoptedEpoch& epoch) {
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = std::exchange(reported_, epoch.id) != epoch.id;
  }
  if (first && on_data_loss_ && !TOCSIN_WITHOUT("epoch")) on_data_loss_();
  return {.code = ErrorCode::kRedisUnavailable, .message = "Redis lost data (epoch changed)"};
}

}  // namespace tocsin::redis
