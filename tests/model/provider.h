// The simulated provider: accepts messages and calls, lists them and sends callbacks.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/base/encoding.h"
#include "common/http/message.h"
#include "common/ports/provider.h"
#include "common/ports/provider_list.h"
#include "tests/model/calls.h"

namespace tocsin::model {

struct Simulation;

class SimulatedProvider {
 public:
  explicit SimulatedProvider(Simulation& simulation)
      : simulation_(simulation), calls_(simulation, *this) {}

  std::string Accept(const Dispatch& dispatch, v1::Channel channel);  // returns the SID
  std::vector<ProviderListEntry> List(const ProviderListQuery& query, v1::Channel channel,
                                      Micros lag) const;

  // Ends the call if nobody has answered it yet.
  void EndUnanswered(const std::string& sid) { calls_.EndUnanswered(sid); }
  // All calls of the alert.
  std::vector<records::v1::AttemptResult> CallsOf(const std::string& alert_id) const {
    return calls_.CallsOf(alert_id);
  }

  // Receives the response, or nothing after the last retry.
  using Respond = std::function<void(const std::optional<http::Response>&)>;

  // Requests a URL of Tocsin, with retries if there is no response.
  void Request(const std::string& url, const FormFields& fields, Respond respond,
               int retries = kMaxRetries);

  // Sends a status callback: perhaps late, twice, or not at all (then `respond` gets nothing).
  void SendCallback(const std::string& url, const FormFields& fields, const Respond& respond);

 private:
  static constexpr int kMaxRetries = 5;

  void SendMessageCallbacks(const Dispatch& dispatch, const std::string& sid);

  struct Entry {
    v1::Channel channel;
    std::string to;
    std::string sender;
    ProviderListEntry entry;
  };
  Simulation& simulation_;
  SimulatedCalls calls_;
  std::vector<Entry> entries_;
};

}  // namespace tocsin::model
