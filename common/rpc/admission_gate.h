// Admits requests to the services of a process: authentication, authorization, and shutdown.
#pragma once

#include <grpcpp/server_context.h>

#include <chrono>
#include <mutex>
#include <string>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/ports/registry_source.h"

namespace tocsin::rpc {

constexpr std::chrono::milliseconds kQuietPeriod{300};

// What refuses a request, or ends a wait or a stream, while this process shuts down: kShuttingDown
// with a short retry delay. Nothing of the request was processed.
Error ShuttingDownError();

// One for all services of the process. Thread-safe; only WaitUntilQuiet() blocks.
class AdmissionGate {
 public:
  // The registry outlives *this.
  explicit AdmissionGate(const RegistrySource& registry) : registry_(registry) {}
  AdmissionGate(const AdmissionGate&) = delete;
  AdmissionGate& operator=(const AdmissionGate&) = delete;

  // The client whose API key the request carries. Fails with kUnauthenticated, with
  // kPermissionDenied if the key does not have `scope`, and with ShuttingDownError() after Close().
  Result<std::string> Admit(const grpc::ServerContextBase& context, Scope scope);

  // Refuses all later requests. Requests that were admitted go on.
  void Close();

  // After Close(): waits until no request was refused for kQuietPeriod, which returns true, or
  // until `deadline`, which returns false.
  bool WaitUntilQuiet(SteadyTime deadline);

 private:
  bool IsClosed();

  const RegistrySource& registry_;
  std::mutex mutex_;
  bool closed_ = false;
  SteadyTime last_refused_;
};

}  // namespace tocsin::rpc
