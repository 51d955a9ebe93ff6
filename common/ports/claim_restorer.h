// Restores the claim store after it lost its data.
#pragma once

#include <chrono>
#include <optional>
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
  // Of claims: some process has restored everything that the log contains since then.
  std::optional<WallTime> recent_since = std::nullopt;
};

// How long a process that ended or hangs keeps the others from restoring.
constexpr std::chrono::seconds kRestoreLease{10};

// Blocking requests, each bounded by the store's timeout for a batch (5 s). All fail with
// kRedisUnavailable when the store does not respond or has another epoch by now. Safe to use from
// several threads.
class ClaimRestorer {
 public:
  virtual ~ClaimRestorer() = default;

  // The current epoch; creates one if the store has none.
  virtual Result<StoreEpoch> FindEpoch() = 0;

  // Acquires the lease of the process that restores, or extends it: for kRestoreLease from now on.
  // Returns false if another process has it. The lease avoids repeated work; restoring without it
  // does no harm.
  virtual Result<bool> HoldLease(const StoreEpoch& epoch) = 0;

  // The next process may restore at once. Without effect if this process does not have the lease.
  virtual Status ReleaseLease(const StoreEpoch& epoch) = 0;

  // Merges what the log knows of attempts. Idempotent and independent of order; weaker proof never
  // replaces a stored result.
  virtual Status Restore(const StoreEpoch& epoch, std::span<const KnownAttempt> attempts) = 0;

  // Claims::CompleteSince() returns `complete_since` from now on. Precedes Adopt() by longer than
  // it takes to decide on a claim and to request it.
  virtual void SetCompleteSince(WallTime complete_since) = 0;

  // This process uses `epoch` from now on, and Claims::CompleteSince() returns `complete_since`.
  virtual void Adopt(const StoreEpoch& epoch, WallTime complete_since) = 0;

  // Marks the epoch as restored since `since`, or completely, for all processes.
  virtual Status MarkRecentRestored(const StoreEpoch& epoch, WallTime since) = 0;
  virtual Status MarkRestored(const StoreEpoch& epoch) = 0;
};

}  // namespace tocsin
