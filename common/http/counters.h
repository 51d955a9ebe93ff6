// What the HTTP server counts, for metrics and for draining.
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

// Why a request, an answer or a connection was turned away by the server itself.
enum class Rejection {
  kMalformed,       // 400: not HTTP/1.1 as RFC 9112 has it, or framing that two readers could read
                    // differently
  kHeadTooLarge,    // 414 and 431
  kBodyTooLarge,    // 413
  kUnsupported,     // 417, 501, 505
  kSlowRequest,     // 408
  kBusy,            // 503: max_in_flight
  kNoAnswer,        // 503: the application did not answer within answer_timeout
  kSlowReader,      // the client did not take its answer within write_timeout
  kTooManyClients,  // 503: max_connections
};
inline constexpr size_t kRejections = 9;

std::string_view NameOf(Rejection reason);  // lower_snake, for the label of a metric

// A reading of the counters. Totals count from the start of the server and never fall.
struct Counts {
  std::array<uint64_t, 6> answers = {};             // by status class: answers[2] counts 200 to 299
  std::array<uint64_t, kRejections> rejected = {};  // by static_cast<size_t>(Rejection)
  uint64_t accepted = 0;                            // connections, those turned away not counted
  uint64_t late_answers = 0;                        // given when their connection was gone
  size_t connections = 0;                           // open now
  size_t in_flight = 0;                             // requests that the application holds now
};

// The living counters. Safe to use from several threads.
class Counters {
 public:
  void Answered(int status) { Add(answers_[static_cast<size_t>(status) / 100 % answers_.size()]); }
  void Rejected(Rejection reason) { Add(rejected_[static_cast<size_t>(reason)]); }
  void LateAnswer() { Add(late_answers_); }

  void ConnectionOpened();
  void ConnectionClosed();  // wakes WaitUntilNoConnection()
  size_t Connections() const { return connections_.load(std::memory_order_relaxed); }

  // Counts one more request with the application unless `limit` are there already.
  bool TryBegin(size_t limit);
  void End() { in_flight_.fetch_sub(1, std::memory_order_relaxed); }

  // Blocks until no connection is open, or the deadline. True if none is.
  bool WaitUntilNoConnection(std::chrono::steady_clock::time_point deadline);

  Counts Read() const;

 private:
  static void Add(std::atomic<uint64_t>& counter) {
    counter.fetch_add(1, std::memory_order_relaxed);
  }

  std::array<std::atomic<uint64_t>, 6> answers_ = {};
  std::array<std::atomic<uint64_t>, kRejections> rejected_ = {};
  std::atomic<uint64_t> accepted_ = 0;
  std::atomic<uint64_t> late_answers_ = 0;
  std::atomic<size_t> connections_ = 0;
  std::atomic<size_t> in_flight_ = 0;
  std::mutex mutex_;
  std::condition_variable none_left_;
};

}  // namespace tocsin::http
