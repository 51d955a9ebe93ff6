// Moves messages and calls in real time and tells of their steps.
#pragma once

#include <thread>

#include "tools/twilio-sim/state.h"
#include "tools/twilio-sim/voice/exchange.h"
#include "tools/twilio-sim/webhooks.h"

namespace tocsin::sim {

WallTime Now();

// One thread, from construction to destruction.
class Pump {
 public:
  // All outlive it.
  Pump(State& state, Webhooks& webhooks, Exchange& exchange);
  ~Pump();
  Pump(const Pump&) = delete;
  Pump& operator=(const Pump&) = delete;

 private:
  void Run(const std::stop_token& stop);

  State& state_;
  Webhooks& webhooks_;
  Exchange& exchange_;
  std::jthread thread_;
};

}  // namespace tocsin::sim
