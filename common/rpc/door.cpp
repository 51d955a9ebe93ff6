#include "common/rpc/door.h"

#include <algorithm>
#include <thread>

#include "common/domain/registry.h"
#include "common/rpc/auth.h"

namespace tocsin::rpc {
namespace {

constexpr std::chrono::milliseconds kLeavingRetry{200};

}  // namespace

Error LeavingError() {
  return {.code = ErrorCode::kOverloaded,
          .message = "this server is leaving and took nothing of the call; ask again",
          .retry_after = kLeavingRetry};
}

Result<std::string> Door::Admit(const grpc::ServerContextBase& context, Scope scope) {
  if (Refuses()) return Fail(LeavingError());
  TOCSIN_TRY(const Secret key, BearerKey(context));
  return registry_.Now()->Authenticate(key.Reveal(), scope);
}

bool Door::Refuses() {
  const std::lock_guard lock(mutex_);
  if (closed_) last_refused_ = std::chrono::steady_clock::now();
  return closed_;
}

void Door::Close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  last_refused_ = std::chrono::steady_clock::now();
}

bool Door::WaitUntilQuiet(SteadyTime deadline) {
  while (true) {
    SteadyTime quiet;
    {
      const std::lock_guard lock(mutex_);
      quiet = last_refused_ + kQuiet;
    }
    const SteadyTime now = std::chrono::steady_clock::now();
    if (now >= quiet || now >= deadline) return now >= quiet;
    std::this_thread::sleep_until(std::min(quiet, deadline));
  }
}

}  // namespace tocsin::rpc
