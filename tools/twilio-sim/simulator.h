// The simulator behind its HTTP server.
#pragma once

#include <atomic>
#include <memory>

#include "common/http/server.h"
#include "tools/twilio-sim/api/delayed_responses.h"
#include "tools/twilio-sim/api/rest_api.h"
#include "tools/twilio-sim/control/control_api.h"
#include "tools/twilio-sim/scheduler.h"
#include "tools/twilio-sim/state.h"
#include "tools/twilio-sim/voice/call_engine.h"
#include "tools/twilio-sim/webhooks/webhook_sender.h"
#include "tools/twilio-sim/webhooks/webhooks.h"

namespace tocsin::sim {

// Outlives the server.
class Simulator {
 public:
  explicit Simulator(const Settings& settings);

  // A handler for http::Server.
  void Handle(const http::Request& request, http::Responder responder);

 private:
  void HandleRest(const http::Request& request, std::shared_ptr<http::Responder> responder,
                  WallTime now);

  // Each uses the ones above.
  State state_;
  WebhookSender webhook_sender_;
  Webhooks webhooks_;
  CallEngine engine_;
  RestApi rest_;
  ControlApi control_;
  std::atomic<std::uint64_t> in_flight_ = 0;
  std::atomic<std::uint64_t> requests_ = 0;
  const SeededRandom request_ids_;
  DelayedResponses delayed_;
  Scheduler scheduler_;
};

// Options of the simulator's server. A client may wait up to one hour for an injected timeout.
http::ServerOptions ServerOptionsFor(const std::string& address, int threads);

}  // namespace tocsin::sim
