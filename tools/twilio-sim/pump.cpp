#include "tools/twilio-sim/pump.h"

#include <algorithm>
#include <chrono>
#include <mutex>

namespace tocsin::sim {
namespace {

// Steps are taken in groups this far apart: thousands of messages a second need no wake-up each.
constexpr std::chrono::milliseconds kGrain{2};
constexpr std::chrono::seconds kLongestWait{1};

}  // namespace

WallTime Now() { return std::chrono::time_point_cast<Micros>(std::chrono::system_clock::now()); }

Pump::Pump(State& state, Webhooks& webhooks, Exchange& exchange)
    : state_(state),
      webhooks_(webhooks),
      exchange_(exchange),
      thread_([this](const std::stop_token& stop) { Run(stop); }) {}

Pump::~Pump() {
  {
    const std::lock_guard lock(state_.mutex);
    thread_.request_stop();
  }
  state_.steps_ahead.notify_all();
}

void Pump::Run(const std::stop_token& stop) {
  const auto pool_of = [this](size_t service) -> const std::vector<std::string>& {
    return state_.directory.Service(service).pool;
  };
  std::unique_lock lock(state_.mutex);
  while (!stop.stop_requested()) {
    const WallTime now = Now();
    for (const StatusChange& change : state_.messages.Advance(now, state_.queues, pool_of)) {
      webhooks_.Tell(change);
    }
    exchange_.Advance(now);
    const auto due = state_.NextDue();
    const WallTime latest = now + kLongestWait;
    const WallTime wake = due ? std::clamp(*due, now + kGrain, latest) : latest;
    state_.steps_ahead.wait_for(lock, wake - now);
  }
}

}  // namespace tocsin::sim
