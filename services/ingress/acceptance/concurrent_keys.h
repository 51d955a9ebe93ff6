// Concurrent requests with the same idempotency key: the first one is processed, the others follow
// it.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "tocsin/v1/alert_service.pb.h"

namespace tocsin::ingress {

// Without this all of several concurrent requests would be "first": the store learns that an alert
// is accepted only after its publish. Covers one process; between processes the store's
// Admission::State::kRepublish means that an earlier request may be in progress. Safe to use from
// several threads; never blocks.
class ConcurrentKeys {
 public:
  using Done = std::function<void(Result<v1::EnqueueResponse>)>;

  // True: no other request with this key is in progress; the caller processes its own and calls
  // Finish(). False: another one is, and `done` is called with what follows from its result: the
  // same result, with `replayed` if it was accepted, for the same `request_digest`; for another one
  // kIdempotencyConflict if the first was accepted, or else kOverloaded, to be retried.
  // `idempotency_digest` is not empty.
  bool Start(const std::string& idempotency_digest, const std::string& request_digest, Done done);

  // The result of the request that Start() returned true for. Calls the followers on this thread.
  void Finish(const std::string& idempotency_digest, const std::string& request_digest,
              const Result<v1::EnqueueResponse>& result);

 private:
  struct Follower {
    std::string request_digest;
    Done done;
  };

  std::mutex mutex_;
  std::map<std::string, std::vector<Follower>> followers_;  // by idempotency digest
};

// The key belongs to the alert `alert_id`, which another request created.
Error IdempotencyConflict(const std::string& alert_id);

}  // namespace tocsin::ingress
