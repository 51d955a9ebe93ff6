// What a test asks of the simulator beside Twilio's API, under /sim/: faults, scripts, books,
// inbound texts. For clients on loopback; no authentication.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "common/base/result.h"
#include "common/http/message.h"
#include "tools/twilio-sim/callbacks.h"
#include "tools/twilio-sim/reply.h"
#include "tools/twilio-sim/state.h"
#include "tools/twilio-sim/webhooks.h"

namespace tocsin::sim {

constexpr size_t kDefaultBookLimit = 10'000;  // lines of an answer
constexpr size_t kMaxBookLimit = 100'000;

// Safe to call from several threads.
class ControlApi {
 public:
  // All outlive it.
  ControlApi(State& state, Callbacks& callbacks, Webhooks& webhooks)
      : state_(state), callbacks_(callbacks), webhooks_(webhooks) {}

  // Answers through `answer`, once, perhaps later and on another thread.
  using Answer = std::function<void(Reply)>;
  void Handle(const http::Request& request, const Answer& answer, WallTime now);

 private:
  Reply Get(const http::Request& request);
  Reply Post(const std::string& path, const nlohmann::json& body);
  Result<void> SetFaults(const nlohmann::json& body);
  Result<void> AddSenders(const std::string& path, const nlohmann::json& body);
  Result<void> Reset(const nlohmann::json& body);
  void Inbound(const nlohmann::json& body, const Answer& answer, WallTime now);
  Result<size_t> AccountNamed(const std::optional<std::string>& sid) const;
  std::string Health();
  std::string Books(const http::Request& request, bool of_messages, std::uint64_t& dropped);

  State& state_;
  Callbacks& callbacks_;
  Webhooks& webhooks_;
};

}  // namespace tocsin::sim
