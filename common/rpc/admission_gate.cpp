#include "common/rpc/admission_gate.h"

#include <algorithm>
#include <thread>

#include "common/domain/registry/registry.h"
#include "common/rpc/auth.h"

namespace tocsin::rpc {
namespace {

constexpr std::chrono::milliseconds kRetryDelay{200};

}  // namespace

Error ShuttingDownError() {
  return {.code = ErrorCode::kShuttingDown,
          .message = "this server is shutting down and did not process the request; retry",
          .retry_after = kRetryDelay};
}

Result<std::string> AdmissionGate::Admit(const grpc::ServerContextBase& context, Scope scope) {
  if (IsClosed()) return Fail(ShuttingDownError());
  TOCSIN_TRY(const Secret key, BearerKey(context));
  return registry_.Now()->Authenticate(key.Reveal(), scope);
}

// Notes the time of a refusal.
bool AdmissionGate::IsClosed() {
  const std::lock_guard lock(mutex_);
  if (closed_) last_refused_ = std::chrono::steady_clock::now();
  return closed_;
}

void AdmissionGate::Close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  last_refused_ = std::chrono::steady_clock::now();
}

bool AdmissionGate::WaitUntilQuiet(SteadyTime deadline) {
  while (true) {
    SteadyTime quiet;
    {
      const std::lock_guard lock(mutex_);
      quiet = last_refused_ + kQuietPeriod;
    }
    const SteadyTime now = std::chrono::steady_clock::now();
    if (now >= quiet || now >= deadline) return now >= quiet;
    std::this_thread::sleep_until(std::min(quiet, deadline));
  }
}

}  // namespace tocsin::rpc
