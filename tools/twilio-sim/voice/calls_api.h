// The resource Calls: create, list, fetch, redirect, cancel, hang up, delete.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/encoding.h"
#include "common/http/message.h"
#include "tools/twilio-sim/reply.h"
#include "tools/twilio-sim/state.h"
#include "tools/twilio-sim/voice/exchange.h"

namespace tocsin::sim {

// Safe to call from several threads. The caller has authenticated the account.
class CallsApi {
 public:
  // Both outlive it.
  CallsApi(State& state, Exchange& exchange) : state_(state), exchange_(exchange) {}

  Reply OnCollection(const http::Request& request, size_t account, std::uint64_t in_flight,
                     WallTime now);
  Reply OnItem(const http::Request& request, size_t account, const std::string& sid, WallTime now);

  // Enters an attempt with bad credentials into the journal.
  void NoteUnauthenticated(const http::Request& request, WallTime now);

 private:
  Reply Create(const http::Request& request, size_t account, std::uint64_t in_flight, WallTime now);
  Reply ShowList(const http::Request& request, size_t account, WallTime now);
  int Change(Call& call, const FormFields& fields, WallTime now);
  std::string Resource(const Call& call, WallTime now) const;

  State& state_;
  Exchange& exchange_;
};

}  // namespace tocsin::sim
