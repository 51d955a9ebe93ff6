// The control API under /sim/ (docs/simulator.md): records, faults, scripts, inbound messages,
// phones. For clients on loopback, without authentication.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "common/base/result.h"
#include "common/http/message.h"
#include "tools/twilio-sim/api/api_response.h"
#include "tools/twilio-sim/state.h"
#include "tools/twilio-sim/voice/call_engine.h"
#include "tools/twilio-sim/webhooks/webhook_sender.h"
#include "tools/twilio-sim/webhooks/webhooks.h"

namespace tocsin::sim {

constexpr size_t kDefaultRecordLimit = 10'000;  // lines of a response
constexpr size_t kMaxRecordLimit = 100'000;

// Thread-safe.
class ControlApi {
 public:
  // All outlive it.
  ControlApi(State& state, WebhookSender& sender, Webhooks& webhooks, CallEngine& engine)
      : state_(state), webhook_sender_(sender), webhooks_(webhooks), engine_(engine) {}

  // Calls `respond` once, possibly later and on another thread.
  using Respond = std::function<void(ApiResponse)>;
  void Handle(const http::Request& request, const Respond& respond, WallTime now);

 private:
  ApiResponse Get(const http::Request& request);
  ApiResponse Post(const std::string& command, const nlohmann::json& body, WallTime now);
  Result<void> SetFaults(const nlohmann::json& body);
  Result<void> AddSenders(bool service, const nlohmann::json& body);
  Result<void> SetTiming(const nlohmann::json& body);
  Result<void> Reset(const nlohmann::json& body);
  void Inbound(const nlohmann::json& body, const Respond& respond, WallTime now);
  Result<size_t> AccountNamed(const std::optional<std::string>& sid) const;
  std::string Health();

  State& state_;
  WebhookSender& webhook_sender_;
  Webhooks& webhooks_;
  CallEngine& engine_;
};

}  // namespace tocsin::sim
