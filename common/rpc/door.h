// The door of a server's services: who calls, and whether calls are still taken.
#pragma once

#include <grpcpp/server_context.h>

#include <chrono>
#include <mutex>
#include <string>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/ports/registry_source.h"

namespace tocsin::rpc {

constexpr std::chrono::milliseconds kQuiet{300};

// What a call is refused with, or a wait is ended with, while this process leaves: kOverloaded, to
// be asked again soon, of another replica or of the next start of this one. Nothing of the call was
// taken.
Error LeavingError();

// One for all services of the process. Thread-safe; never blocks but in WaitUntilQuiet().
class Door {
 public:
  // The registry outlives *this.
  explicit Door(const RegistrySource& registry) : registry_(registry) {}
  Door(const Door&) = delete;
  Door& operator=(const Door&) = delete;

  // The client that calls, when its key has `scope`; else kUnauthenticated or kPermissionDenied.
  // LeavingError() for whoever comes behind Close().
  Result<std::string> Admit(const grpc::ServerContextBase& context, Scope scope);

  // Calls under way go on.
  void Close();

  // After Close(): true when nobody has called for kQuiet, false when they still did at `deadline`.
  // Blocks until then.
  bool WaitUntilQuiet(SteadyTime deadline);

 private:
  bool Refuses();

  const RegistrySource& registry_;
  std::mutex mutex_;
  bool closed_ = false;
  SteadyTime last_refused_;
};

}  // namespace tocsin::rpc
