// Rotates the auth token of an account: /v1/AuthTokens/Secondary and /v1/AuthTokens/Promote.
// https://www.twilio.com/docs/iam/api/authtoken
#pragma once

#include <cstdint>
#include <string_view>

#include "common/http/message.h"
#include "tools/twilio-sim/api/api_response.h"
#include "tools/twilio-sim/state.h"

namespace tocsin::sim {

// Thread-safe. The caller has authenticated the account.
class TokensApi {
 public:
  explicit TokensApi(State& state) : state_(state) {}

  // `operation`, the last part of the path: Secondary or Promote.
  ApiResponse Handle(const http::Request& request, size_t account, std::string_view operation,
                     WallTime now);

 private:
  State& state_;
  std::uint64_t tokens_made_ = 0;  // guarded by the lock of the state
};

}  // namespace tocsin::sim
