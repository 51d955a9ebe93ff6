#include "common/delivery/claim_restoration.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/base/retry_loop.h"
#include "common/base/sleep.h"

namespace tocsin {
namespace {

constexpr RetryDelays kRetryDelays{std::chrono::seconds(1), std::chrono::seconds(1)};
constexpr Micros kClockSkew = std::chrono::seconds(1);
// How often a process that waits for another one reads what that has restored.
constexpr Micros kPollInterval = std::chrono::milliseconds(500);
constexpr size_t kBatch = 256;  // attempts per request
// Of a batch. Reading the log again would cost more, and a slow store might never be restored.
constexpr RetryDelays kBatchRetryDelays{std::chrono::milliseconds(100), std::chrono::seconds(1)};
constexpr int kMaxBatchAttempts = 6;

std::optional<KnownAttempt> ReadKnownAttempt(const Topics& topics, const IncomingRecord& record) {
  if (record.position.topic() == topics.Events()) {
    records::v1::Event event;
    return event.ParseFromString(record.value) ? KnownAttemptOf(event) : std::nullopt;
  }
  records::v1::WebhookRecord callback;
  return callback.ParseFromString(record.value) ? KnownAttemptOf(callback) : std::nullopt;
}

}  // namespace

ClaimRestoration::ClaimRestoration(Parts parts, Micros max_start_delay)
    : parts_(parts), max_start_delay_(max_start_delay), thread_([this] { Run(); }) {}

ClaimRestoration::~ClaimRestoration() {
  stop_.request_stop();
  thread_.join();
}

void ClaimRestoration::NotifyDataLoss() {
  const std::lock_guard lock(mutex_);
  lost_ = true;
  changed_.notify_all();
}

void ClaimRestoration::Run() {
  const auto restore = [this] {
    {
      const std::lock_guard lock(mutex_);
      lost_ = false;
    }
    return RestoreOnce();
  };
  while (true) {
    {
      std::unique_lock lock(mutex_);
      if (!changed_.wait(lock, stop_.get_token(), [this] { return lost_; })) return;
    }
    const Status restored = RetryLoop(
        kRetryDelays, restore, [this](Micros delay) { return SleepFor(delay, stop_.get_token()); },
        [this](const Error& error) {
          if (!stop_.stop_requested()) parts_.probe.OnDependencyError(error);
        });
    if (!restored) return;
  }
}

Status ClaimRestoration::RestoreOnce() {
  parts_.probe.OnClaimsUsable(false);
  const WallTime recent_since = parts_.clock.Now() - kRecentWindow;
  TOCSIN_TRY(StoreEpoch epoch, parts_.restorer.FindEpoch());
  if (!epoch.restored) TOCSIN_CHECK_OK(AwaitStarts(epoch, recent_since));
  bool usable = false;
  while (!epoch.restored) {
    TOCSIN_TRY(const std::unique_ptr<RestorationLease> lease,
               RestorationLease::Acquire(parts_.restorer, epoch, stop_.get_token()));
    TOCSIN_CHECK_OK(Refresh(epoch));  // the last holder may have restored more before it ended
    if (epoch.restored) break;
    if (epoch.recent_since && !std::exchange(usable, true)) TOCSIN_CHECK_OK(AdoptRecent(epoch));
    if (lease) TOCSIN_CHECK_OK(RestoreAll(epoch, recent_since, *lease));
    if (!lease) TOCSIN_CHECK_OK(Pause(kPollInterval));
    TOCSIN_CHECK_OK(Refresh(epoch));
  }
  parts_.restorer.Adopt(epoch, WallTime::min());
  parts_.probe.OnClaimsUsable(true);
  return {};
}

// A process that got a claim before the loss may still publish its start. `epoch` was found after
// the loss, so every such claim is older. Ends early if another process has waited for them.
Status ClaimRestoration::AwaitStarts(StoreEpoch& epoch, WallTime recent_since) {
  if (epoch.recent_since) return {};
  parts_.restorer.SetCompleteSince(recent_since);
  TOCSIN_TRY(const bool empty, LogIsEmpty());
  Micros left = empty ? Micros(0) : max_start_delay_ + kClockSkew;
  while (left > Micros(0) && !epoch.restored && !epoch.recent_since) {
    const Micros pause = std::min(left, kPollInterval);
    TOCSIN_CHECK_OK(Pause(pause));
    left -= pause;
    // A store that does not respond does not make the wait longer.
    if (const auto current = parts_.restorer.FindEpoch()) TOCSIN_CHECK_OK(Follow(epoch, *current));
  }
  return {};
}

// Another process has restored the recent window. A task of this process that relied on an earlier
// CompleteSince() has requested its claim before the epoch is adopted, and is refused.
Status ClaimRestoration::AdoptRecent(StoreEpoch& epoch) {
  const WallTime since = *epoch.recent_since;
  parts_.restorer.SetCompleteSince(since);
  TOCSIN_CHECK_OK(Pause(kPollInterval));
  TOCSIN_CHECK_OK(Refresh(epoch));
  parts_.restorer.Adopt(epoch, since);
  parts_.probe.OnClaimsUsable(true);
  return {};
}

// Restores what is not restored yet. Ends without an error if another process has the lease.
Status ClaimRestoration::RestoreAll(const StoreEpoch& epoch, WallTime recent_since,
                                    const RestorationLease& lease) {
  ReadOffsets restored;
  const auto restore = [&]() -> Status {
    if (!epoch.recent_since) {
      TOCSIN_TRY(restored, RestoreSince(epoch, recent_since, false, restored, lease.Ended()));
      TOCSIN_CHECK_OK(parts_.restorer.MarkRecentRestored(epoch, recent_since));
      parts_.restorer.Adopt(epoch, recent_since);
      parts_.probe.OnClaimsUsable(true);
    }
    const WallTime full_since = recent_since + kRecentWindow - kFullWindow;
    TOCSIN_CHECK_OK(RestoreSince(epoch, full_since, true, restored, lease.Ended()));
    return parts_.restorer.MarkRestored(epoch);
  };
  Status status = restore();
  if (lease.Lost()) return {};
  return status;
}

// Restores what was published since `since`, without what is `restored`. Returns what was read.
Result<ReadOffsets> ClaimRestoration::RestoreSince(const StoreEpoch& epoch, WallTime since,
                                                   bool complete, const ReadOffsets& restored,
                                                   const std::stop_token& stop) {
  ReadOffsets offsets;
  std::vector<KnownAttempt> batch;
  size_t count = 0;
  Status status;
  std::stop_source cancel;
  const std::stop_callback stopping(stop, [&cancel] { cancel.request_stop(); });
  const auto flush = [&] {
    count += batch.size();
    if (status && !batch.empty()) status = RestoreBatch(epoch, batch, stop);
    batch.clear();
    if (!status) cancel.request_stop();
  };
  const Status read = parts_.history.Read(
      {parts_.topics.Events(), parts_.topics.Webhooks()}, since,
      [&](const IncomingRecord& record) {
        if (restored.Contains(record.position)) return;
        offsets.Add(record.position);
        if (auto known = ReadKnownAttempt(parts_.topics, record))
          batch.push_back(*std::move(known));
        if (batch.size() >= kBatch) flush();
      },
      cancel.get_token());
  flush();
  TOCSIN_CHECK_OK(Status(status));
  TOCSIN_CHECK_OK(Status(read));
  parts_.probe.OnClaimsRestored(count, complete);
  return offsets;
}

Status ClaimRestoration::RestoreBatch(const StoreEpoch& epoch, std::span<const KnownAttempt> batch,
                                      const std::stop_token& stop) {
  int attempts = 1;
  return RetryLoop(
      kBatchRetryDelays, [&] { return parts_.restorer.Restore(epoch, batch); },
      [&](Micros delay) {
        if (++attempts > kMaxBatchAttempts || !SleepFor(delay, stop)) return false;
        const std::lock_guard lock(mutex_);
        return !lost_;  // another loss: the epoch is another one
      },
      [&](const Error& error) {
        if (attempts < kMaxBatchAttempts)
          parts_.probe.OnDependencyError(error);  // Run() reports the last
      });
}

Result<bool> ClaimRestoration::LogIsEmpty() {
  bool found = false;
  std::stop_source cancel;
  const Status read = parts_.history.Read(
      {parts_.topics.Events()}, WallTime(),
      [&](const IncomingRecord&) {
        found = true;
        cancel.request_stop();
      },
      cancel.get_token());
  if (found) return false;
  TOCSIN_CHECK_OK(Status(read));
  return true;
}

// What is restored by now.
Status ClaimRestoration::Refresh(StoreEpoch& epoch) {
  TOCSIN_TRY(const StoreEpoch current, parts_.restorer.FindEpoch());
  return Follow(epoch, current);
}

// Fails after another loss: everything begins again.
Status ClaimRestoration::Follow(StoreEpoch& epoch, const StoreEpoch& current) {
  const bool unmarked = epoch.recent_since && !current.recent_since && !current.restored;
  if (current.id != epoch.id || unmarked)
    return Fail(ErrorCode::kRedisUnavailable, "Redis lost data during the restore");
  epoch = current;
  return {};
}

Status ClaimRestoration::Pause(Micros time) {
  if (SleepFor(time, stop_.get_token())) return {};
  return Fail(ErrorCode::kShuttingDown, "restoration of claims stopped");
}

}  // namespace tocsin
