// Whether the claim store still knows what it was told, and how it is told again.
#pragma once

#include <span>
#include <string>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/domain/known_try.h"

namespace tocsin {

// One memory of the store, from its founding to its loss.
struct StoreMemory {
  std::string epoch;
  bool whole = false;  // somebody has restored everything that the log knows
};

// Blocking calls, each bounded by the store's time-out (1 s) for a batch. All fail with
// kRedisUnavailable when the store does not answer or has another memory by now.
class ClaimMemory {
 public:
  virtual ~ClaimMemory() = default;

  // The memory that stands; one is founded where there is none.
  virtual Result<StoreMemory> Find() = 0;

  // Tells what the log knows of tries. Order and repetition change nothing, and nothing that is
  // known already is replaced by what proves less.
  virtual Status Restore(const StoreMemory& memory, std::span<const KnownTry> tries) = 0;

  // From now on this process works with `memory`. Work that was first published before
  // `known_since` may have been begun and forgotten (Claims::KnownSince).
  virtual void Adopt(const StoreMemory& memory, WallTime known_since) = 0;

  // Tells all that everything is restored.
  virtual Status SayWhole(const StoreMemory& memory) = 0;
};

}  // namespace tocsin
