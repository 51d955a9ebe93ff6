// Restores the claim store after it lost its data.
#pragma once

#include <span>
#include <string>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/domain/delivery/known_attempt.h"

namespace tocsin {

// The lifetime of the store's data, from its creation to its loss.
struct StoreEpoch {
  std::string id;
  bool restored = false;  // some process has restored everything that the log contains
};

// Blocking requests, each bounded by the store's timeout for a batch (5 s). All fail with
// kRedisUnavailable when the store does not respond or has another epoch by now.
class ClaimRestorer {
 public:
  virtual ~ClaimRestorer() = default;

  // The current epoch; creates one if the store has none.
  virtual Result<StoreEpoch> FindEpoch() = 0;

  // Merges what the log knows of attempts. Idempotent and independent of order; weaker proof never
  // replaces a stored result.
  virtual Status Restore(const StoreEpoch& epoch, std::span<const KnownAttempt> attempts) = 0;

  // This process uses `epoch` from now on, and Claims::CompleteSince() returns `complete_since`.
  virtual void Adopt(const StoreEpoch& epoch, WallTime complete_since) = 0;

  // Marks the epoch as restored for all processes.
  virtual Status MarkRestored(const StoreEpoch& epoch) = 0;
};

}  // namespace tocsin
