// One lookup of an attempt in doubt: stored results first, then the provider's list, and the policy
// after the in-doubt timeout.
#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "common/base/result.h"
#include "common/delivery/probe.h"
#include "common/domain/delivery/in_doubt.h"
#include "common/domain/registry/registry.h"
#include "common/ports/claims.h"
#include "common/ports/clock.h"
#include "common/ports/provider_list.h"
#include "common/ports/vault.h"

namespace tocsin {

constexpr std::chrono::seconds kListTimeout{5};  // for all pages of one lookup

// Stateless: any process can continue the lookups of another. Safe to use from several threads.
class InDoubtResolver {
 public:
  struct Parts {
    const Clock& clock;
    Claims& claims;
    Vault& vault;
    ProviderList& list;
    DeliveryProbe& probe;
  };

  InDoubtResolver(Parts parts, const InDoubtSchedule& schedule)
      : parts_(parts), schedule_(schedule) {}

  // Returns the result that resolves the attempt, stored in the claims; nothing while it stays in
  // doubt. Blocks for kListTimeout and two store timeouts at most. A list that cannot be read
  // counts as empty. Fails if the claims cannot be reached.
  Result<std::optional<records::v1::AttemptResult>> Resolve(const records::v1::WorkRecord& lookup,
                                                            const RegistrySnapshot& registry);

 private:
  // ACCEPTED for each list entry that may be this attempt, the closest in time first.
  std::vector<records::v1::AttemptResult> FindInList(const records::v1::WorkRecord& lookup,
                                                     const RegistrySnapshot& registry);
  std::vector<ProviderListEntry> ListMatching(const records::v1::WorkRecord& lookup,
                                              const RegistrySnapshot& registry);

  const Parts parts_;
  const InDoubtSchedule schedule_;
};

}  // namespace tocsin
