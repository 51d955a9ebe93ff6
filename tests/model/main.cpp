// Runs many seeds of the simulation, or replays one with its trace.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "tests/model/simulation.h"

namespace {

using tocsin::model::Bug;
using tocsin::model::Counts;
using tocsin::model::RunSeed;

struct Options {
  std::uint64_t first = 1;
  std::uint64_t seeds = 20'000;
  unsigned jobs = 2;
  Bug bug = Bug::kNone;
};

void Report(std::uint64_t seed, const std::vector<std::string>& violations) {
  fmt::print("seed {} fails; replay it with --seed {}\n", seed, seed);
  for (const std::string& violation : violations) fmt::print("  {}\n", violation);
}

int Replay(std::uint64_t seed, Bug bug) {
  const auto outcome = RunSeed(seed, bug, true);
  for (const std::string& line : outcome.trace) fmt::print("{}\n", line);
  if (outcome.violations.empty()) {
    fmt::print("seed {}: all invariants hold\n", seed);
    return 0;
  }
  Report(seed, outcome.violations);
  return 1;
}

int RunAll(const Options& options) {
  const auto begin = std::chrono::steady_clock::now();
  std::atomic<std::uint64_t> next{0};
  std::atomic<bool> failed{false};
  std::mutex mutex;
  Counts total;
  const auto work = [&] {
    Counts counts;
    for (std::uint64_t i = next++; i < options.seeds && !failed; i = next++) {
      const auto outcome = RunSeed(options.first + i, options.bug);
      counts += outcome.counts;
      if (outcome.violations.empty()) continue;
      const std::lock_guard lock(mutex);
      failed = true;
      Report(options.first + i, outcome.violations);
    }
    const std::lock_guard lock(mutex);
    total += counts;
  };
  std::vector<std::jthread> threads;
  for (unsigned i = 0; i < options.jobs; ++i) threads.emplace_back(work);
  threads.clear();
  const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin);
  fmt::print(
      "{} seeds from {} in {:.1f} s: {} alerts, {} POSTs, {} accepted, {} in doubt, {} never "
      "received, {} repeated calls, {} acknowledged, {} kills, {} freezes, {} steps\n"
      "{} plans: {} acknowledged, {} missed, {} declined, {} calls ended, {} steps started early, "
      "{} attempts started without the store: {}\n",
      std::min<std::uint64_t>(next, options.seeds), options.first, seconds.count(), total.alerts,
      total.posts, total.accepted, total.in_doubt, total.not_received, total.repeated_calls,
      total.acknowledged, total.kills, total.freezes, total.steps, total.plans.plans,
      total.plans.acknowledged, total.plans.missed, total.plans.declined, total.plans.calls_ended,
      total.plans.early_steps, total.plans.by_log, failed ? "FAILED" : "all invariants hold");
  return failed ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Runs the delivery core in a simulation with faults drawn from seeds.");
  Options options;
  std::optional<std::uint64_t> seed;
  std::string bug;
  app.add_option("--seed", seed, "replay this seed and print its trace");
  app.add_option("--seeds", options.seeds, "number of seeds")->capture_default_str();
  app.add_option("--first", options.first, "first seed")->capture_default_str();
  app.add_option("--jobs", options.jobs, "number of threads")
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  app.add_option("--bug", bug, "plant this bug");
  CLI11_PARSE(app, argc, argv);
  if (!bug.empty()) {
    for (const auto& [planted, name] : tocsin::model::kBugs)
      if (name == bug) options.bug = planted;
    if (options.bug == Bug::kNone) {
      fmt::print(stderr, "unknown bug: {}\n", bug);
      return 2;
    }
  }
  return seed ? Replay(*seed, options.bug) : RunAll(options);
}
