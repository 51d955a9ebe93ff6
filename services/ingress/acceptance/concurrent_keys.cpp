#include "services/ingress/acceptance/concurrent_keys.h"

#include <utility>

namespace tocsin::ingress {
namespace {

constexpr std::chrono::milliseconds kRetryDelay{100};

Result<v1::EnqueueResponse> ForSameRequest(Result<v1::EnqueueResponse> first) {
  if (first) first->set_replayed(true);
  return first;
}

Result<v1::EnqueueResponse> ForOtherRequest(const Result<v1::EnqueueResponse>& first) {
  if (first) return Fail(IdempotencyConflict(first->alert_id()));
  return Fail(Error{.code = ErrorCode::kOverloaded,
                    .message = "another request with this key was in progress; retry",
                    .field = "idempotency_key",
                    .retry_after = kRetryDelay});
}

}  // namespace

bool ConcurrentKeys::Start(const std::string& idempotency_digest, const std::string& request_digest,
                           Done done) {
  const std::lock_guard lock(mutex_);
  const auto [entry, first] = followers_.try_emplace(idempotency_digest);
  if (!first) entry->second.push_back({request_digest, std::move(done)});
  return first;
}

void ConcurrentKeys::Finish(const std::string& idempotency_digest,
                            const std::string& request_digest,
                            const Result<v1::EnqueueResponse>& result) {
  std::vector<Follower> followers;
  {
    const std::lock_guard lock(mutex_);
    const auto entry = followers_.find(idempotency_digest);
    followers = std::move(entry->second);
    followers_.erase(entry);
  }
  for (const Follower& follower : followers)
    follower.done(follower.request_digest == request_digest ? ForSameRequest(result)
                                                            : ForOtherRequest(result));
}

Error IdempotencyConflict(const std::string& alert_id) {
  return {.code = ErrorCode::kIdempotencyConflict,
          .message = "this key was used for another request; use a new key for a new alert",
          .field = "idempotency_key",
          .subject = alert_id};
}

}  // namespace tocsin::ingress
