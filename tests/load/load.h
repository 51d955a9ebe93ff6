// The subcommands of tocsin-load: each sends load to one part of Tocsin and reports how fast it
// was.
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace tocsin::load {

using Steady = std::chrono::steady_clock;

// The result of a run. Thread-safe.
class Measure {
 public:
  explicit Measure(std::uint64_t expected);

  // A request of `count` items ended. The first error is kept.
  void Done(Steady::time_point start, std::uint64_t count = 1);
  void Failed(const std::string& error, std::uint64_t count = 1);

  // Prints one line of JSON on stdout: done, failed, seconds (since the construction), per_second,
  // p50_ms, p99_ms, p999_ms, cpu_us (CPU time of this process per item, since the construction)
  // and, after a failure, error. Returns 0 if nothing failed, else 1.
  int Report();

 private:
  const Steady::time_point begin_ = Steady::now();
  const double cpu_begin_;
  std::mutex mutex_;
  std::vector<std::uint32_t> micros_;
  std::uint64_t done_ = 0;
  std::uint64_t failed_ = 0;
  std::string error_;
};

// Start times of requests: at once without a rate, else those of an open loop, which do not depend
// on earlier responses.
class Schedule {
 public:
  explicit Schedule(double per_second) : per_second_(per_second) {}
  // Of a request; the begin of the run without a rate.
  Steady::time_point StartOf(std::uint64_t number) const;
  // Blocks until the start time and returns it: latency counts from it, even if we are late.
  Steady::time_point Await(std::uint64_t number) const;

 private:
  const double per_second_;
  const Steady::time_point begin_ = Steady::now();
};

// Options of every HTTP load.
struct HttpLoadOptions {
  std::string account;  // of Twilio's or the simulator's
  std::string token_file;
  std::uint64_t count = 0;
  int connections = 64;  // a thread each
};
void AddHttpLoadOptions(CLI::App& command, HttpLoadOptions& options);

// HTTP requests that are built before the first is sent, so that only the server is measured.
struct HttpLoad {
  std::string address;  // HOST:PORT
  std::uint64_t count = 0;
  int connections = 1;
  double rate = 0;  // as Schedule
  int expected_status = 200;
};
// Returns Measure::Report(). `request_of` builds the request of a number.
int RunHttpLoad(const HttpLoad& http_load,
                const std::function<std::string(std::uint64_t)>& request_of);

// Each adds its subcommand to `app` and sets `run` if it is the selected one.
using Run = std::function<Result<int>()>;
void AddEnqueue(CLI::App& app, Run& run);
void AddWebhooks(CLI::App& app, Run& run);
void AddKafka(CLI::App& app, Run& run);
void AddCreates(CLI::App& app, Run& run);

}  // namespace tocsin::load
