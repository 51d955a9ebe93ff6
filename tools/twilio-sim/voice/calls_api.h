// The resource Calls: create, list, fetch, redirect, cancel, hang up, delete.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/encoding.h"
#include "common/http/message.h"
#include "tools/twilio-sim/api/api_response.h"
#include "tools/twilio-sim/state.h"
#include "tools/twilio-sim/voice/call_engine.h"

namespace tocsin::sim {

// Thread-safe. The caller has authenticated the account.
class CallsApi {
 public:
  // `state` and `engine` outlive it.
  CallsApi(State& state, CallEngine& engine) : state_(state), engine_(engine) {}

  ApiResponse OnCollection(const http::Request& request, size_t account, std::uint64_t in_flight,
                           WallTime now);
  ApiResponse OnItem(const http::Request& request, size_t account, const std::string& sid,
                     WallTime now);

  // Logs a create attempt with invalid credentials.
  void LogUnauthenticated(const http::Request& request, WallTime now);

 private:
  ApiResponse Create(const http::Request& request, size_t account, std::uint64_t in_flight,
                     WallTime now);
  ApiResponse ShowList(const http::Request& request, size_t account, WallTime now);
  int Update(Call& call, const FormFields& fields, WallTime now);
  std::string Resource(const Call& call, WallTime now) const;

  State& state_;
  CallEngine& engine_;
};

}  // namespace tocsin::sim
