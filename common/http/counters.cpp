#include "common/http/counters.h"

#include <algorithm>

namespace tocsin::http {

std::string_view NameOf(Rejection reason) {
  switch (reason) {
    case Rejection::kMalformed: return "malformed";
    case Rejection::kHeaderTooLarge: return "header_too_large";
    case Rejection::kBodyTooLarge: return "body_too_large";
    case Rejection::kUnsupported: return "unsupported";
    case Rejection::kRequestTimeout: return "request_timeout";
    case Rejection::kOverloaded: return "overloaded";
    case Rejection::kResponseTimeout: return "response_timeout";
    case Rejection::kWriteTimeout: return "write_timeout";
    case Rejection::kTooManyConnections: return "too_many_connections";
  }
  return "unknown";
}

void Counters::ConnectionOpened() {
  Add(accepted_);
  connections_.fetch_add(1, std::memory_order_relaxed);
}

void Counters::ConnectionClosed() {
  if (connections_.fetch_sub(1) != 1) return;
  const std::lock_guard lock(mutex_);  // a waiter is either waiting or has not tested yet
  all_closed_.notify_all();
}

bool Counters::StartRequest(size_t limit) {
  if (in_flight_.fetch_add(1, std::memory_order_relaxed) < limit) return true;
  EndRequest();
  return false;
}

bool Counters::WaitUntilAllClosed(std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  return all_closed_.wait_until(lock, deadline, [this] { return connections_.load() == 0; });
}

Counts Counters::Read() const {
  Counts counts;
  const auto read = [](const auto& counter) { return counter.load(std::memory_order_relaxed); };
  std::transform(responses_.begin(), responses_.end(), counts.responses.begin(), read);
  std::transform(rejected_.begin(), rejected_.end(), counts.rejected.begin(), read);
  counts.accepted = read(accepted_);
  counts.late_responses = read(late_responses_);
  counts.connections = read(connections_);
  counts.in_flight = read(in_flight_);
  return counts;
}

}  // namespace tocsin::http
