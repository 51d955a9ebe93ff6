// The resource Messages: create, list, fetch, redact, cancel, delete.
#pragma once

#include <cstdint>
#include <string>

#include "common/http/message.h"
#include "tools/twilio-sim/create_request.h"
#include "tools/twilio-sim/reply.h"
#include "tools/twilio-sim/state.h"

namespace tocsin::sim {

constexpr size_t kMaxFormFields = 256;

// Safe to call from several threads. The caller has authenticated the account.
class MessagesApi {
 public:
  explicit MessagesApi(State& state) : state_(state) {}

  Reply OnCollection(const http::Request& request, size_t account, std::uint64_t in_flight,
                     WallTime now);
  Reply OnItem(const http::Request& request, size_t account, const std::string& sid, WallTime now);

  // Enters an attempt with bad credentials into the journal.
  void NoteUnauthenticated(const http::Request& request, WallTime now);

 private:
  struct Verdict;

  Reply Create(const http::Request& request, size_t account, std::uint64_t in_flight, WallTime now);
  Verdict Decide(const CreateRequest* asked, size_t account, std::uint64_t in_flight, bool reused,
                 WallTime now);
  Reply ShowList(const http::Request& request, size_t account, WallTime now);
  Reply Update(const http::Request& request, size_t account, const std::string& sid, WallTime now);
  Reply Remove(size_t account, const std::string& sid);

  State& state_;
};

}  // namespace tocsin::sim
