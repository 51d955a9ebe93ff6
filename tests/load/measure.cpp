#include <sys/resource.h>

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/load/load.h"

namespace tocsin::load {
namespace {

// CPU time of this process in microseconds.
double CpuMicros() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto micros = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
  };
  return micros(used.ru_utime) + micros(used.ru_stime);
}

}  // namespace

Measure::Measure(std::uint64_t expected) : cpu_begin_(CpuMicros()) { micros_.reserve(expected); }

void Measure::Done(Steady::time_point start, std::uint64_t count) {
  const auto duration =
      std::chrono::duration_cast<std::chrono::microseconds>(Steady::now() - start);
  const std::lock_guard lock(mutex_);
  done_ += count;
  micros_.push_back(static_cast<std::uint32_t>(duration.count()));
}

void Measure::Failed(const std::string& error, std::uint64_t count) {
  const std::lock_guard lock(mutex_);
  failed_ += count;
  if (error_.empty()) error_ = error;
}

int Measure::Report() {
  const double cpu = CpuMicros() - cpu_begin_;
  const double seconds = std::chrono::duration<double>(Steady::now() - begin_).count();
  const std::lock_guard lock(mutex_);
  std::sort(micros_.begin(), micros_.end());
  const auto quantile = [this](double share) {
    if (micros_.empty()) return 0.0;
    const auto last = static_cast<double>(micros_.size() - 1);
    return micros_[static_cast<size_t>(last * share)] / 1000.0;
  };
  nlohmann::json report{{"done", done_},
                        {"failed", failed_},
                        {"seconds", seconds},
                        {"per_second", static_cast<double>(done_) / seconds},
                        {"p50_ms", quantile(.5)},
                        {"p99_ms", quantile(.99)},
                        {"p999_ms", quantile(.999)},
                        {"cpu_us", done_ > 0 ? cpu / static_cast<double>(done_) : 0.0}};
  if (!error_.empty()) report["error"] = error_;
  std::cout << report.dump() << '\n';
  return failed_ == 0 ? 0 : 1;
}

Steady::time_point Schedule::StartOf(std::uint64_t number) const {
  if (per_second_ <= 0) return begin_;
  return begin_ + std::chrono::duration_cast<Steady::duration>(
                      std::chrono::duration<double>(static_cast<double>(number) / per_second_));
}

Steady::time_point Schedule::Await(std::uint64_t number) const {
  if (per_second_ <= 0) return Steady::now();
  const auto start = StartOf(number);
  std::this_thread::sleep_until(start);
  return start;
}

}  // namespace tocsin::load
