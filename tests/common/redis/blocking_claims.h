// Claims in Redis for tests that wait for each request.
#pragma once

#include <optional>
#include <string>

#include "common/async/sync_wait.h"
#include "common/redis/claim_store.h"

namespace tocsin::redis {

// A ClaimStore with a loop and a connection of its own. Runs the loop during a request only.
class BlockingClaims {
 public:
  explicit BlockingClaims(Server& server) : client_(server, loop_), store_(client_) {}

  Result<ClaimReply> Claim(const ClaimRequest& request) { return Wait(store_.Claim(request)); }
  Status Release(const v1::AttemptRef& attempt, std::uint64_t fence) {
    return Wait(store_.Release(attempt, fence));
  }
  Result<std::optional<records::v1::AttemptResult>> SaveResult(
      const v1::AttemptRef& attempt, std::uint64_t fence,
      const records::v1::AttemptResult& result) {
    return Wait(store_.SaveResult(attempt, fence, result));
  }
  Status Ping() { return Wait(store_.Ping()); }
  WallTime CompleteSince() const { return store_.CompleteSince(); }

  template <typename T>
  T Wait(Task<T> task) {
    loop_.Stop();
    loop_.Run();  // notices that Redis closed the connection since the last request
    return SyncWait(loop_, std::move(task));
  }
  ScriptClient& client() { return client_; }
  ClaimStore& store() { return store_; }

 private:
  EventLoop loop_;
  ScriptClient client_;
  ClaimStore store_;
};

}  // namespace tocsin::redis
