#include "tools/twilio-sim/scheduler.h"

#include <algorithm>
#include <chrono>
#include <mutex>

namespace tocsin::sim {
namespace {

// Steps are made in groups, so that thousands of messages per second do not need a wakeup each.
constexpr std::chrono::milliseconds kMinWait{2};
constexpr std::chrono::seconds kMaxWait{1};

}  // namespace

WallTime Now() { return std::chrono::time_point_cast<Micros>(std::chrono::system_clock::now()); }

Scheduler::Scheduler(State& state, Webhooks& webhooks, CallEngine& engine)
    : state_(state),
      webhooks_(webhooks),
      engine_(engine),
      thread_([this](const std::stop_token& stop) { Run(stop); }) {}

Scheduler::~Scheduler() {
  {
    const std::lock_guard lock(state_.mutex);
    thread_.request_stop();
  }
  state_.earlier_step.notify_all();
}

void Scheduler::Run(const std::stop_token& stop) {
  const auto pool_of = [this](size_t service) -> const std::vector<std::string>& {
    return state_.directory.Service(service).pool;
  };
  std::unique_lock lock(state_.mutex);
  while (!stop.stop_requested()) {
    const WallTime now = Now();
    for (const StatusChange& change : state_.messages.Advance(now, state_.queues, pool_of)) {
      webhooks_.OnStatusChange(change);
    }
    engine_.Advance(now);
    const auto due = state_.NextDue();
    const WallTime latest = now + kMaxWait;
    const WallTime wake = due ? std::clamp(*due, now + kMinWait, latest) : latest;
    state_.earlier_step.wait_for(lock, wake - now);
  }
}

}  // namespace tocsin::sim
