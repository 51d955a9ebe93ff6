// Requests to stop this process, and its signal handling.
#pragma once

#include <atomic>
#include <stop_token>
#include <thread>

namespace tocsin::telemetry {

// Handles the signals of the process. Construct it in main() before any other thread, so that all
// threads inherit the signal mask. SIGTERM and SIGINT request a stop; the second one ends the
// process immediately with exit code 1. SIGUSR1 makes the log one level more verbose, SIGUSR2 one
// level less. SIGPIPE is ignored. The signals stay blocked after destruction.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  std::stop_token Token() const { return source_.get_token(); }

  // Requests a stop from within, for example after a fatal error. Thread-safe.
  void Request() const { source_.request_stop(); }

  // Blocks until a stop is requested, without a limit.
  void Wait() const;

 private:
  void Listen();

  mutable std::stop_source source_;
  std::atomic<bool> ending_{false};
  std::thread listener_;
};

}  // namespace tocsin::telemetry
