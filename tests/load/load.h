// The verbs of tocsin-load: each drives one part of Tocsin as hard as asked and says how fast it
// went.
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

// What came of a run. Safe to use from several threads while it lasts.
class Measure {
 public:
  explicit Measure(std::uint64_t expected);

  // One piece of work ended, begun at `begin`; a failure keeps the first reason that was given.
  void Done(Steady::time_point begin, std::uint64_t pieces = 1);
  void Failed(const std::string& why, std::uint64_t pieces = 1);

  // One line of JSON on stdout: done, failed, seconds, per_second, p50_ms, p99_ms, p999_ms and,
  // after a failure, why. The time runs from the making of this to now. 0 when nothing failed,
  // else 1.
  int Tell();

 private:
  const Steady::time_point begin_ = Steady::now();
  std::mutex mutex_;
  std::vector<std::uint32_t> micros_;
  std::uint64_t done_ = 0;
  std::uint64_t failed_ = 0;
  std::string why_;
};

// When the piece of that number is to begin: at once without a rate, else at its place in an open
// loop, whatever became of the ones before.
class Schedule {
 public:
  explicit Schedule(double per_second) : per_second_(per_second) {}
  // Waits for that moment and gives it: latency counts from it, also when we are late.
  Steady::time_point Await(std::uint64_t number) const;

 private:
  const double per_second_;
  const Steady::time_point begin_ = Steady::now();
};

// What every barrage is told on its command line.
struct BarrageOptions {
  std::string account;  // of Twilio's or the simulator's
  std::string token_file;
  std::uint64_t count = 0;
  int connections = 64;  // a thread each
};
void AddBarrageOptions(CLI::App& command, BarrageOptions& options);

// Requests over HTTP, each written beforehand: who answers is to be measured, not who asks.
struct Barrage {
  std::string address;  // HOST:PORT
  std::uint64_t count = 0;
  int connections = 1;
  double rate = 0;  // as Schedule
  int expected_status = 200;
};
// As Measure::Tell(). `request_of` makes the request of that number.
int AskAll(const Barrage& barrage, const std::function<std::string(std::uint64_t)>& request_of);

// Each adds its verb to `app` and sets `run` when it is the one that was asked for.
using Run = std::function<Result<int>()>;
void AddEnqueue(CLI::App& app, Run& run);
void AddWebhooks(CLI::App& app, Run& run);
void AddKafka(CLI::App& app, Run& run);
void AddCreates(CLI::App& app, Run& run);

}  // namespace tocsin::load
