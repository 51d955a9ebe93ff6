// What a test asks of the simulator beside Twilio's API, under /sim/: faults, scripts, books,
// inbound texts, telephones. For clients on loopback; no authentication.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "common/base/result.h"
#include "common/http/message.h"
#include "tools/twilio-sim/callbacks.h"
#include "tools/twilio-sim/reply.h"
#include "tools/twilio-sim/state.h"
#include "tools/twilio-sim/voice/exchange.h"
#include "tools/twilio-sim/webhooks.h"

namespace tocsin::sim {

constexpr size_t kDefaultBookLimit = 10'000;  // lines of an answer
constexpr size_t kMaxBookLimit = 100'000;

// Safe to call from several threads.
class ControlApi {
 public:
  // All outlive it.
  ControlApi(State& state, Callbacks& callbacks, Webhooks& webhooks, Exchange& exchange)
      : state_(state), callbacks_(callbacks), webhooks_(webhooks), exchange_(exchange) {}

  // Answers through `answer`, once, perhaps later and on another thread.
  using Answer = std::function<void(Reply)>;
  void Handle(const http::Request& request, const Answer& answer, WallTime now);

 private:
  Reply Get(const http::Request& request);
  Reply Post(const std::string& page, const nlohmann::json& body, WallTime now);
  Result<void> SetFaults(const nlohmann::json& body);
  Result<void> AddSenders(bool service, const nlohmann::json& body);
  Result<void> Reset(const nlohmann::json& body);
  void Inbound(const nlohmann::json& body, const Answer& answer, WallTime now);
  Result<size_t> AccountNamed(const std::optional<std::string>& sid) const;
  std::string Health();

  State& state_;
  Callbacks& callbacks_;
  Webhooks& webhooks_;
  Exchange& exchange_;
};

}  // namespace tocsin::sim
