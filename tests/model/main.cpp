// Runs many seeds of the model, or one again with its story.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "tests/model/world.h"

namespace {

using tocsin::model::Bug;
using tocsin::model::Counts;
using tocsin::model::RunSeed;

struct Plan {
  std::uint64_t first = 1;
  std::uint64_t seeds = 20'000;
  unsigned jobs = 2;
  Bug bug = Bug::kNone;
};

void Report(std::uint64_t seed, const std::vector<std::string>& violations) {
  fmt::print("seed {} fails; again with its story: --seed {}\n", seed, seed);
  for (const std::string& violation : violations) fmt::print("  {}\n", violation);
}

int Replay(std::uint64_t seed, Bug bug) {
  const auto outcome = RunSeed(seed, bug, true);
  for (const std::string& line : outcome.story) fmt::print("{}\n", line);
  if (outcome.violations.empty()) {
    fmt::print("seed {}: every promise held\n", seed);
    return 0;
  }
  Report(seed, outcome.violations);
  return 1;
}

int RunAll(const Plan& plan) {
  const auto begin = std::chrono::steady_clock::now();
  std::atomic<std::uint64_t> next{0};
  std::atomic<bool> failed{false};
  std::mutex mutex;
  Counts total;
  const auto work = [&] {
    Counts mine;
    for (std::uint64_t i = next++; i < plan.seeds && !failed; i = next++) {
      const auto outcome = RunSeed(plan.first + i, plan.bug);
      mine += outcome.counts;
      if (outcome.violations.empty()) continue;
      const std::lock_guard lock(mutex);
      failed = true;
      Report(plan.first + i, outcome.violations);
    }
    const std::lock_guard lock(mutex);
    total += mine;
  };
  std::vector<std::jthread> threads;
  for (unsigned i = 0; i < plan.jobs; ++i) threads.emplace_back(work);
  threads.clear();
  const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin);
  fmt::print(
      "{} seeds from {} in {:.1f} s: {} alerts, {} POSTs, {} taken, {} doubts recorded, {} kills, "
      "{} stops, {} steps: {}\n",
      std::min<std::uint64_t>(next, plan.seeds), plan.first, seconds.count(), total.alerts,
      total.posts, total.taken, total.doubts, total.kills, total.freezes, total.steps,
      failed ? "FAILED" : "every promise held");
  return failed ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Runs the delivery core in simulated worlds with seeded faults.");
  Plan plan;
  std::optional<std::uint64_t> seed;
  std::string bug;
  app.add_option("--seed", seed, "Run this seed alone and print its story");
  app.add_option("--seeds", plan.seeds, "How many seeds")->capture_default_str();
  app.add_option("--first", plan.first, "The first of them")->capture_default_str();
  app.add_option("--jobs", plan.jobs, "Threads")->capture_default_str()->check(CLI::Range(1, 64));
  app.add_option("--bug", bug, "Plant this bug");
  CLI11_PARSE(app, argc, argv);
  if (!bug.empty()) {
    for (const auto& [planted, name] : tocsin::model::kBugs)
      if (name == bug) plan.bug = planted;
    if (plan.bug == Bug::kNone) {
      fmt::print(stderr, "no bug is named {}\n", bug);
      return 2;
    }
  }
  return seed ? Replay(*seed, plan.bug) : RunAll(plan);
}
