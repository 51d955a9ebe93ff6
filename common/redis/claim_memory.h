// The memory of Redis, found again and restored.
#pragma once

#include "common/domain/open_try.h"
#include "common/ports/claim_memory.h"
#include "common/redis/server.h"

namespace tocsin::redis {

// Needs Settings::waits_for_rebuild: without it the epoch that stands is taken unseen.
class ClaimStoreMemory final : public ClaimMemory {
 public:
  // `first_look`: as ClaimStore's.
  explicit ClaimStoreMemory(Server& server, Micros first_look = ReconcileSchedule().first_look)
      : server_(server), first_look_(first_look) {}

  Result<StoreMemory> Find() override;
  Status Restore(const StoreMemory& memory, std::span<const KnownTry> tries) override;
  void Adopt(const StoreMemory& memory, WallTime known_since) override;
  Status SayWhole(const StoreMemory& memory) override;

 private:
  Server& server_;
  const Micros first_look_;
};

// Tells the store what the log knows of a try.
ScriptCall RestoreCall(const KnownTry& known, const Keys& keys, Micros first_look);

}  // namespace tocsin::redis
