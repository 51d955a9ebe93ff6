// The resource Messages: create, list, fetch, redact, cancel, delete.
#pragma once

#include <cstdint>
#include <string>

#include "common/http/message.h"
#include "tools/twilio-sim/api/api_response.h"
#include "tools/twilio-sim/messages/create_message.h"
#include "tools/twilio-sim/state.h"

namespace tocsin::sim {

// Thread-safe. The caller has authenticated the account.
class MessagesApi {
 public:
  explicit MessagesApi(State& state) : state_(state) {}

  ApiResponse OnCollection(const http::Request& request, size_t account, std::uint64_t in_flight,
                           WallTime now);
  ApiResponse OnItem(const http::Request& request, size_t account, const std::string& sid,
                     WallTime now);

  // Logs a create attempt with invalid credentials.
  void LogUnauthenticated(const http::Request& request, WallTime now);

 private:
  struct Creation;

  ApiResponse Create(const http::Request& request, size_t account, std::uint64_t in_flight,
                     WallTime now);
  Creation CreateAttempt(const CreateMessageRequest* wanted, size_t account,
                         std::uint64_t in_flight, bool reused, WallTime now);
  ApiResponse ShowList(const http::Request& request, size_t account, WallTime now);
  ApiResponse Update(const http::Request& request, size_t account, const std::string& sid,
                     WallTime now);
  ApiResponse Remove(size_t account, const std::string& sid);

  State& state_;
};

}  // namespace tocsin::sim
