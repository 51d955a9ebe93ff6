// The counters of an HTTP server, for metrics and for draining.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string_view>

namespace tocsin::http {

// Why the server itself rejected a request or a connection, or dropped a response.
enum class Rejection {
  kMalformed,           // 400: invalid by RFC 9112, or ambiguous framing
  kHeaderTooLarge,      // 414 and 431
  kBodyTooLarge,        // 413
  kUnsupported,         // 417, 501, 505
  kRequestTimeout,      // 408
  kOverloaded,          // 503: max_in_flight
  kResponseTimeout,     // 503: no response from the handler within response_timeout
  kWriteTimeout,        // the client did not read its response within write_timeout: reset
  kTooManyConnections,  // 503: max_connections
};
inline constexpr size_t kRejections = 9;

std::string_view NameOf(Rejection reason);  // lower_snake, for metrics

// A snapshot of the counters. Totals count from the start of the server.
struct Counts {
  std::array<uint64_t, 6> responses = {};           // by status class: [2] counts 200 to 299
  std::array<uint64_t, kRejections> rejected = {};  // by static_cast<size_t>(Rejection)
  uint64_t accepted = 0;                            // connections, without rejected ones
  uint64_t late_responses = 0;                      // sent after their connection was gone
  size_t connections = 0;                           // open now
  size_t in_flight = 0;                             // requests without a response from the handler
};

// Thread-safe.
class Counters {
 public:
  void Responded(int status) {
    Add(responses_[static_cast<size_t>(status) / 100 % responses_.size()]);
  }
  void Rejected(Rejection reason) { Add(rejected_[static_cast<size_t>(reason)]); }
  void LateResponse() { Add(late_responses_); }

  void ConnectionOpened();
  void ConnectionClosed();  // wakes WaitUntilAllClosed()
  size_t Connections() const { return connections_.load(std::memory_order_relaxed); }

  // Counts a request in flight. False, and nothing is counted, if there are already `limit`.
  bool StartRequest(size_t limit);
  void EndRequest() { in_flight_.fetch_sub(1, std::memory_order_relaxed); }

  // Blocks until no connection is open or until the deadline. True if none is open.
  bool WaitUntilAllClosed(std::chrono::steady_clock::time_point deadline);

  Counts Read() const;

 private:
  static void Add(std::atomic<uint64_t>& counter) {
    counter.fetch_add(1, std::memory_order_relaxed);
  }

  std::array<std::atomic<uint64_t>, 6> responses_ = {};
  std::array<std::atomic<uint64_t>, kRejections> rejected_ = {};
  std::atomic<uint64_t> accepted_ = 0;
  std::atomic<uint64_t> late_responses_ = 0;
  std::atomic<size_t> connections_ = 0;
  std::atomic<size_t> in_flight_ = 0;
  std::mutex mutex_;
  std::condition_variable all_closed_;
};

}  // namespace tocsin::http
