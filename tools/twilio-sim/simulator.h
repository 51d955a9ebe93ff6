// The simulator behind its HTTP server.
#pragma once

#include <atomic>
#include <memory>

#include "common/http/server.h"
#include "tools/twilio-sim/callbacks.h"
#include "tools/twilio-sim/control_api.h"
#include "tools/twilio-sim/delayed_replies.h"
#include "tools/twilio-sim/pump.h"
#include "tools/twilio-sim/rest_api.h"
#include "tools/twilio-sim/state.h"
#include "tools/twilio-sim/voice/exchange.h"
#include "tools/twilio-sim/webhooks.h"

namespace tocsin::sim {

// Outlives the server whose handler it is.
class Simulator {
 public:
  explicit Simulator(const Settings& settings);

  // A handler for http::Server.
  void Handle(http::Request request, http::Responder responder);

 private:
  void HandleRest(const http::Request& request, std::shared_ptr<http::Responder> responder,
                  WallTime now);

  // Each uses those before it.
  State state_;
  Callbacks callbacks_;
  Webhooks webhooks_;
  Exchange exchange_;
  RestApi rest_;
  ControlApi control_;
  std::atomic<std::uint64_t> in_flight_ = 0;
  std::atomic<std::uint64_t> requests_ = 0;
  const Dice request_ids_;
  DelayedReplies delayed_;
  Pump pump_;
};

// The bounds of the simulator's server: a client that gets no answer on purpose may wait for an
// hour.
http::ServerOptions ServerOptionsFor(const std::string& address, int threads);

}  // namespace tocsin::sim
