#include "common/delivery/claim_restoration.h"

#include <vector>

#include "common/base/retry_loop.h"
#include "common/base/sleep.h"

namespace tocsin {
namespace {

constexpr RetryDelays kRetryDelays{std::chrono::seconds(1), std::chrono::seconds(1)};
constexpr Micros kClockSkew = std::chrono::seconds(1);
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
        [this](const Error& error) { parts_.probe.OnDependencyError(error); });
    if (!restored) return;
  }
}

Status ClaimRestoration::RestoreOnce() {
  parts_.probe.OnClaimsUsable(false);
  const WallTime loss_time = parts_.clock.Now();
  TOCSIN_TRY(const StoreEpoch epoch, parts_.restorer.FindEpoch());
  if (epoch.restored) {
    parts_.restorer.Adopt(epoch, WallTime::min());
    parts_.probe.OnClaimsUsable(true);
    return {};
  }
  TOCSIN_TRY(const bool empty, LogIsEmpty());
  // A process that got a claim before the loss may still publish its start.
  if (!empty && !SleepFor(max_start_delay_ + kClockSkew, stop_.get_token())) return {};
  TOCSIN_CHECK_OK(RestoreSince(epoch, loss_time - kRecentWindow, empty));
  parts_.restorer.Adopt(epoch, loss_time - kRecentWindow);
  parts_.probe.OnClaimsUsable(true);
  if (!empty) TOCSIN_CHECK_OK(RestoreSince(epoch, loss_time - kFullWindow, true));
  parts_.restorer.Adopt(epoch, WallTime::min());
  return parts_.restorer.MarkRestored(epoch);
}

Status ClaimRestoration::RestoreSince(const StoreEpoch& epoch, WallTime since, bool complete) {
  std::vector<KnownAttempt> batch;
  size_t count = 0;
  Status status;
  std::stop_source cancel;
  const std::stop_callback stopping(stop_.get_token(), [&cancel] { cancel.request_stop(); });
  const auto flush = [&] {
    count += batch.size();
    if (status && !batch.empty()) status = RestoreBatch(epoch, batch);
    batch.clear();
    if (!status) cancel.request_stop();
  };
  const Status read = parts_.history.Read(
      {parts_.topics.Events(), parts_.topics.Webhooks()}, since,
      [&](const IncomingRecord& record) {
        if (auto known = ReadKnownAttempt(parts_.topics, record))
          batch.push_back(*std::move(known));
        if (batch.size() >= kBatch) flush();
      },
      cancel.get_token());
  flush();
  TOCSIN_CHECK_OK(Status(status));
  TOCSIN_CHECK_OK(Status(read));
  parts_.probe.OnClaimsRestored(count, complete);
  return {};
}

Status ClaimRestoration::RestoreBatch(const StoreEpoch& epoch,
                                      std::span<const KnownAttempt> batch) {
  int attempts = 1;
  return RetryLoop(
      kBatchRetryDelays, [&] { return parts_.restorer.Restore(epoch, batch); },
      [&](Micros delay) {
        if (++attempts > kMaxBatchAttempts || !SleepFor(delay, stop_.get_token())) return false;
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

}  // namespace tocsin
