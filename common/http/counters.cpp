#include "common/http/counters.h"

#include <algorithm>

namespace tocsin::http {

std::string_view NameOf(Rejection reason) {
  switch (reason) {
    case Rejection::kMalformed: return "malformed";
    case Rejection::kHeadTooLarge: return "head_too_large";
    case Rejection::kBodyTooLarge: return "body_too_large";
    case Rejection::kUnsupported: return "unsupported";
    case Rejection::kSlowRequest: return "slow_request";
    case Rejection::kBusy: return "busy";
    case Rejection::kNoAnswer: return "no_answer";
    case Rejection::kSlowReader: return "slow_reader";
    case Rejection::kTooManyClients: return "too_many_clients";
  }
  return "unknown";
}

void Counters::ConnectionOpened() {
  Add(accepted_);
  connections_.fetch_add(1, std::memory_order_relaxed);
}

void Counters::ConnectionClosed() {
  if (connections_.fetch_sub(1) != 1) return;
  const std::lock_guard lock(mutex_);  // so that a waiter is either asleep or yet to look
  none_left_.notify_all();
}

bool Counters::TryBegin(size_t limit) {
  if (in_flight_.fetch_add(1, std::memory_order_relaxed) < limit) return true;
  End();
  return false;
}

bool Counters::WaitUntilNoConnection(std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  return none_left_.wait_until(lock, deadline, [this] { return connections_.load() == 0; });
}

Counts Counters::Read() const {
  Counts counts;
  const auto read = [](const auto& counter) { return counter.load(std::memory_order_relaxed); };
  std::transform(answers_.begin(), answers_.end(), counts.answers.begin(), read);
  std::transform(rejected_.begin(), rejected_.end(), counts.rejected.begin(), read);
  counts.accepted = read(accepted_);
  counts.late_answers = read(late_answers_);
  counts.connections = read(connections_);
  counts.in_flight = read(in_flight_);
  return counts;
}

}  // namespace tocsin::http
