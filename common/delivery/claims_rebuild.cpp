#include "common/delivery/claims_rebuild.h"

#include <utility>
#include <vector>

namespace tocsin {
namespace {

constexpr Micros kAfterFailure = std::chrono::seconds(1);
constexpr Micros kClockGrain = std::chrono::seconds(1);
constexpr size_t kBatch = 256;  // tries told at once

std::optional<KnownTry> Read(const Topics& topics, const IncomingRecord& record) {
  if (record.position.topic() == topics.Events()) {
    v1::Event event;
    return event.ParseFromString(record.value) ? KnownTryOf(event) : std::nullopt;
  }
  v1::WebhookRecord callback;
  return callback.ParseFromString(record.value) ? KnownTryOf(callback) : std::nullopt;
}

}  // namespace

ClaimsRebuild::ClaimsRebuild(Parts parts, Micros in_flight, Observer observer)
    : parts_(parts),
      in_flight_(in_flight),
      observer_(std::move(observer)),
      thread_([this] { Run(); }) {}

ClaimsRebuild::~ClaimsRebuild() {
  stop_.request_stop();
  changed_.notify_all();
  thread_.join();
}

void ClaimsRebuild::TellLost() {
  const std::lock_guard lock(mutex_);
  lost_ = true;
  changed_.notify_all();
}

void ClaimsRebuild::Run() {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      if (!changed_.wait(lock, stop_.get_token(), [this] { return lost_; })) return;
      lost_ = false;
    }
    if (const Status rebuilt = Rebuild(); !rebuilt) {
      observer_.failed(rebuilt.error());
      TellLost();
      if (!Pause(kAfterFailure)) return;
    }
  }
}

Status ClaimsRebuild::Rebuild() {
  observer_.known(false);
  const WallTime lost = parts_.clock.Now();
  TOCSIN_TRY(const StoreMemory memory, parts_.memory.Find());
  if (memory.whole) {
    parts_.memory.Adopt(memory, WallTime::min());
    observer_.known(true);
    return {};
  }
  TOCSIN_TRY(const bool empty, LogIsEmpty());
  // Whoever got a claim before the loss may still be about to say so.
  if (!empty && !Pause(in_flight_ + kClockGrain)) return {};
  TOCSIN_CHECK_OK(RestoreFrom(memory, lost - kYoung, empty));
  parts_.memory.Adopt(memory, lost - kYoung);
  observer_.known(true);
  if (!empty) TOCSIN_CHECK_OK(RestoreFrom(memory, lost - kOldest, true));
  parts_.memory.Adopt(memory, WallTime::min());
  return parts_.memory.SayWhole(memory);
}

Status ClaimsRebuild::RestoreFrom(const StoreMemory& memory, WallTime from, bool whole) {
  std::vector<KnownTry> batch;
  size_t told = 0;
  Status status;
  std::stop_source enough;
  const std::stop_callback stopping(stop_.get_token(), [&enough] { enough.request_stop(); });
  const auto tell = [&] {
    told += batch.size();
    if (status && !batch.empty()) status = parts_.memory.Restore(memory, batch);
    batch.clear();
    if (!status) enough.request_stop();
  };
  const Status read = parts_.history.Read(
      {parts_.topics.Events(), parts_.topics.Webhooks()}, from,
      [&](const IncomingRecord& record) {
        if (auto known = Read(parts_.topics, record)) batch.push_back(*std::move(known));
        if (batch.size() >= kBatch) tell();
      },
      enough.get_token());
  tell();
  TOCSIN_CHECK_OK(Status(status));
  TOCSIN_CHECK_OK(Status(read));
  observer_.restored(told, whole);
  return {};
}

Result<bool> ClaimsRebuild::LogIsEmpty() {
  bool any = false;
  std::stop_source enough;
  const Status read = parts_.history.Read(
      {parts_.topics.Events()}, WallTime(),
      [&](const IncomingRecord&) {
        any = true;
        enough.request_stop();
      },
      enough.get_token());
  if (any) return false;
  TOCSIN_CHECK_OK(Status(read));
  return true;
}

bool ClaimsRebuild::Pause(Micros time) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, stop_.get_token(), time, [] { return false; });
  return !stop_.stop_requested();
}

}  // namespace tocsin
