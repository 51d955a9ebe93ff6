// Restores the acceptances of alerts after the store lost its data.
#pragma once

#include <span>

#include "common/base/result.h"
#include "common/ports/accepted_alert.h"
#include "common/ports/claim_restorer.h"

namespace tocsin {

// Blocking requests, each bounded by the store's timeout for a batch (5 s). All fail with
// kRedisUnavailable when the store does not respond or has another epoch by now.
class AcceptanceRestorer {
 public:
  virtual ~AcceptanceRestorer() = default;

  // This process uses the current epoch from now on; creates one if the store has none. `restored`:
  // some process has restored the acceptances of this epoch.
  virtual Result<StoreEpoch> AdoptEpoch() = 0;

  // Stores what Admissions would have stored. Idempotent; several processes may restore at once.
  // Never replaces what is stored. Of several alerts with one idempotency key the first one gets
  // the key, unless an attempt of another was claimed.
  virtual Status Restore(const StoreEpoch& epoch, std::span<const AcceptedAlert> alerts) = 0;

  // All acceptances are restored: from now on an unknown key or alert is known not to exist.
  virtual Status MarkRestored(const StoreEpoch& epoch) = 0;
};

// The error of Admissions while a key or an alert may exist that is not restored yet.
Error RestoringAcceptances();

}  // namespace tocsin
