// Twilio's 2010-04-01 API as far as it is simulated. A further resource is a further case in
// Route() and a class beside MessagesApi and CallsApi.
#pragma once

#include <cstdint>
#include <string>

#include "common/http/message.h"
#include "tools/twilio-sim/messages_api.h"
#include "tools/twilio-sim/reply.h"
#include "tools/twilio-sim/state.h"
#include "tools/twilio-sim/tokens_api.h"
#include "tools/twilio-sim/voice/calls_api.h"

namespace tocsin::sim {

// Safe to call from several threads; never blocks for long.
class RestApi {
 public:
  // Both outlive it.
  RestApi(State& state, Exchange& exchange)
      : state_(state), messages_(state), calls_(state, exchange), tokens_(state) {}

  // `in_flight`: requests not answered yet, this one included.
  Reply Answer(const http::Request& request, std::uint64_t in_flight, WallTime now);

 private:
  // False unless the credentials are those of an account; then `account` is its index.
  bool Authenticate(const http::Request& request, size_t& account) const;
  Reply Route(const http::Request& request, const std::string& path, std::uint64_t in_flight,
              WallTime now);

  State& state_;
  MessagesApi messages_;
  CallsApi calls_;
  TokensApi tokens_;
};

// The answers of any resource.
Reply JsonReply(int status, std::string json);
Reply ErrorReply(int code);
Reply ErrorReply(int code, const std::string& message);

}  // namespace tocsin::sim
