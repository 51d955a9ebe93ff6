#include "services/ingress/acceptance/acceptance_restoration.h"

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "common/base/retry_loop.h"
#include "common/base/sleep.h"

namespace tocsin::ingress {
namespace {

constexpr RetryDelays kRetryDelays{std::chrono::milliseconds(100), std::chrono::seconds(1)};
// Bounds how often the lanes are read while alerts are accepted without the store.
constexpr Micros kNotStoredDelay = std::chrono::seconds(1);
// Maximum difference between the clocks of the processes that write the lanes.
constexpr Micros kClockSkew = std::chrono::minutes(1);
constexpr std::size_t kBatch = 256;  // alerts per request
// Of a batch. Reading the lanes again would cost more, and a slow store might never be restored.
constexpr RetryDelays kBatchRetryDelays{std::chrono::milliseconds(100), std::chrono::seconds(1)};
constexpr int kMaxBatchAttempts = 6;

std::vector<std::string> AllLanes(const Topics& topics) {
  std::vector<std::string> lanes = topics.Lanes(v1::CHANNEL_SMS);
  for (std::string& lane : topics.Lanes(v1::CHANNEL_VOICE)) lanes.push_back(std::move(lane));
  return lanes;
}

}  // namespace

AcceptanceRestoration::AcceptanceRestoration(Parts parts, Micros max_publish_delay,
                                             AcceptanceRestorationObserver observer)
    : parts_(parts),
      max_publish_delay_(max_publish_delay),
      observer_(std::move(observer)),
      thread_([this] { Run(); }) {}

AcceptanceRestoration::~AcceptanceRestoration() {
  stop_.request_stop();
  thread_.join();
}

void AcceptanceRestoration::NotifyDataLoss() {
  const std::lock_guard lock(mutex_);
  lost_ = true;
  changed_.notify_all();
}

void AcceptanceRestoration::NotifyNotStored(WallTime create_time) {
  const std::lock_guard lock(mutex_);
  not_stored_since_ = std::min(not_stored_since_.value_or(create_time), create_time);
  changed_.notify_all();
}

void AcceptanceRestoration::Run() {
  while (WaitForTask()) {
    const Status restored = RetryLoop(
        kRetryDelays, [this] { return RestoreOnce(); },
        [this](Micros delay) { return SleepFor(delay, stop_.get_token()); },
        [this](const Error& error) {
          if (!stop_.stop_requested()) observer_.failed(error);
        });
    if (!restored) return;
  }
}

// Returns false after a stop request.
bool AcceptanceRestoration::WaitForTask() {
  std::unique_lock lock(mutex_);
  if (!changed_.wait(lock, stop_.get_token(), [this] { return lost_ || not_stored_since_; }))
    return false;
  if (lost_) return true;
  changed_.wait_for(lock, stop_.get_token(), kNotStoredDelay, [this] { return lost_; });
  return !stop_.stop_requested();
}

Status AcceptanceRestoration::RestoreOnce() {
  std::optional<WallTime> not_stored_since;
  {
    const std::lock_guard lock(mutex_);
    lost_ = false;
    not_stored_since = not_stored_since_;
  }
  const WallTime begin_time = parts_.clock.Now();
  TOCSIN_TRY(const StoreEpoch epoch, parts_.restorer.AdoptEpoch());
  if (!epoch.restored) {
    observer_.completeness(false);
    TOCSIN_CHECK_OK(RestoreAll(epoch, begin_time));
  } else if (not_stored_since) {
    TOCSIN_CHECK_OK(RestoreSince(epoch, *not_stored_since - kClockSkew));
  }
  observer_.completeness(true);
  const std::lock_guard lock(mutex_);
  if (not_stored_since_ == not_stored_since) not_stored_since_.reset();
  return {};
}

Status AcceptanceRestoration::RestoreAll(const StoreEpoch& epoch, WallTime begin_time) {
  TOCSIN_TRY(ReadCount read, RestoreSince(epoch, WallTime()));
  if (read.records > 0) {
    // What was admitted before the loss may still be published.
    TOCSIN_CHECK_OK(WaitUnlessLost(begin_time + max_publish_delay_ - parts_.clock.Now()));
    TOCSIN_TRY(const ReadCount later, RestoreSince(epoch, begin_time - kClockSkew));
    read.alerts += later.alerts;
  }
  TOCSIN_CHECK_OK(parts_.restorer.MarkRestored(epoch));
  observer_.restored(read.alerts);
  return {};
}

// Fails after another loss, whose epoch must be adopted at once.
Status AcceptanceRestoration::WaitUnlessLost(Micros delay) {
  std::unique_lock lock(mutex_);
  if (changed_.wait_for(lock, stop_.get_token(), delay, [this] { return lost_; }))
    return Fail(ErrorCode::kRedisUnavailable, "Redis lost data during the restore");
  if (stop_.stop_requested())
    return Fail(ErrorCode::kShuttingDown, "restoration of acceptances stopped");
  return {};
}

Result<AcceptanceRestoration::ReadCount> AcceptanceRestoration::RestoreSince(
    const StoreEpoch& epoch, WallTime since) {
  ReadCount count;
  std::vector<AcceptedAlert> batch;
  Status status;
  std::stop_source cancel;
  const std::stop_callback stopping(stop_.get_token(), [&cancel] { cancel.request_stop(); });
  const auto flush = [&] {
    count.alerts += batch.size();
    if (status && !batch.empty()) status = RestoreBatch(epoch, batch);
    batch.clear();
    if (!status) cancel.request_stop();
  };
  const Status read = parts_.history.Read(
      AllLanes(parts_.topics), since,
      [&](const IncomingRecord& record) {
        ++count.records;
        // Without a key the store is not asked when a request is repeated, and the id proves the
        // client.
        auto alert = AcceptedAlertOf(record);
        if (alert && !alert->idempotency_digest.empty()) batch.push_back(*std::move(alert));
        if (batch.size() >= kBatch) flush();
      },
      cancel.get_token());
  flush();
  TOCSIN_CHECK_OK(Status(status));
  TOCSIN_CHECK_OK(Status(read));
  return count;
}

Status AcceptanceRestoration::RestoreBatch(const StoreEpoch& epoch,
                                           std::span<const AcceptedAlert> batch) {
  int attempts = 1;
  return RetryLoop(
      kBatchRetryDelays, [&] { return parts_.restorer.Restore(epoch, batch); },
      [&](Micros delay) {
        if (++attempts > kMaxBatchAttempts || !SleepFor(delay, stop_.get_token())) return false;
        const std::lock_guard lock(mutex_);
        return !lost_;  // another loss: the epoch is another one
      },
      [&](const Error& error) {
        if (attempts < kMaxBatchAttempts) observer_.failed(error);  // Run() reports the last
      });
}

}  // namespace tocsin::ingress
