// Advances messages and calls in real time.
#pragma once

#include <thread>

#include "tools/twilio-sim/state.h"
#include "tools/twilio-sim/voice/call_engine.h"
#include "tools/twilio-sim/webhooks/webhooks.h"

namespace tocsin::sim {

WallTime Now();

// One thread, from construction to destruction.
class Scheduler {
 public:
  // `state`, `webhooks` and `engine` outlive it.
  Scheduler(State& state, Webhooks& webhooks, CallEngine& engine);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

 private:
  void Run(const std::stop_token& stop);

  State& state_;
  Webhooks& webhooks_;
  CallEngine& engine_;
  std::jthread thread_;
};

}  // namespace tocsin::sim
