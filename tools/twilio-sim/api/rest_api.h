// The simulated part of Twilio's 2010-04-01 API: authentication and routing. A further resource is
// a further case in Route() and a class like MessagesApi and CallsApi.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "common/http/message.h"
#include "tools/twilio-sim/api/api_response.h"
#include "tools/twilio-sim/api/tokens_api.h"
#include "tools/twilio-sim/messages/messages_api.h"
#include "tools/twilio-sim/state.h"
#include "tools/twilio-sim/voice/calls_api.h"

namespace tocsin::sim {

// Thread-safe; never blocks for long.
class RestApi {
 public:
  // `state` and `engine` outlive it.
  RestApi(State& state, CallEngine& engine)
      : state_(state), messages_(state), calls_(state, engine), tokens_(state) {}

  // `in_flight`: requests without a response, including this one.
  ApiResponse Handle(const http::Request& request, std::uint64_t in_flight, WallTime now);

 private:
  // Sets `account` to the index of the account. False if the credentials are invalid.
  bool Authenticate(const http::Request& request, size_t& account) const;
  ApiResponse Route(const http::Request& request, size_t account,
                    const std::vector<std::string_view>& parts, std::uint64_t in_flight,
                    WallTime now);

  State& state_;
  MessagesApi messages_;
  CallsApi calls_;
  TokensApi tokens_;
};

}  // namespace tocsin::sim
