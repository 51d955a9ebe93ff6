// The rotation of an account's auth token: /v1/AuthTokens/Secondary and /v1/AuthTokens/Promote.
// https://www.twilio.com/docs/iam/api/authtoken
#pragma once

#include <cstdint>
#include <string_view>

#include "common/http/message.h"
#include "tools/twilio-sim/reply.h"
#include "tools/twilio-sim/state.h"

namespace tocsin::sim {

// Safe to call from several threads. The caller has authenticated the account.
class TokensApi {
 public:
  explicit TokensApi(State& state) : state_(state) {}

  // `what` is the path's last part: Secondary or Promote.
  Reply On(const http::Request& request, size_t account, std::string_view what, WallTime now);

 private:
  State& state_;
  std::uint64_t made_ = 0;  // guarded by the state's lock
};

}  // namespace tocsin::sim
