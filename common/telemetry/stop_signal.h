// How this process is asked to stop.
#pragma once

#include <atomic>
#include <stop_token>
#include <thread>

namespace tocsin::telemetry {

// Takes over the process's signals. To be made in main() before any other thread, which then
// inherit the mask. SIGTERM and SIGINT request a stop; the second of them ends the process at once
// with exit code 1. SIGUSR1 makes the log say more (one level), SIGUSR2 less. SIGPIPE is ignored.
// The signals stay blocked after it is gone: the process is leaving.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  std::stop_token Token() const { return source_.get_token(); }

  // Asks for a stop from inside, when the process cannot go on. Thread-safe.
  void Request() const { source_.request_stop(); }

  // Blocks until a stop is requested, with no bound.
  void Wait() const;

 private:
  void Listen();

  mutable std::stop_source source_;
  std::atomic<bool> leaving_{false};
  std::thread listener_;
};

}  // namespace tocsin::telemetry
