// Attempts that the provider accepted and whose final status or price is unknown. Shared by all
// replicas, stored in Redis.
#pragma once

#include <cstddef>
#include <vector>

#include "common/async/task.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/domain/delivery/unreconciled_attempt.h"

namespace tocsin {

struct DueAttempts {
  std::size_t total = 0;  // all unreconciled attempts, due or not
  // Attempts without a final status, then attempts that lack only their price; of each the longest
  // due first.
  std::vector<UnreconciledAttempt> due;
};

// An attempt is added when Claims stores its SID, and removed when its final status and its price
// are known. Requests, each bounded by the store's timeout (1 s); they fail as those of Claims.
// Used on the loop's thread. Arguments must outlive the task.
class UnreconciledAttempts {
 public:
  virtual ~UnreconciledAttempts() = default;

  // Attempts whose next lookup is due at `now`, at most `max`, and fewer if their work records are
  // large. Attempts whose state has expired are removed.
  virtual Task<Result<DueAttempts>> FindDue(v1::Channel channel, WallTime now, std::size_t max) = 0;

  // Stores what a lookup found and when the next one is due. Removes the attempt if there is none.
  virtual Task<Status> SaveLookup(v1::Channel channel, const v1::AttemptRef& attempt,
                                  const Reconciled& found) = 0;
};

}  // namespace tocsin
