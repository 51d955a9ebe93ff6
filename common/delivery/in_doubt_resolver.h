// One lookup of an attempt in doubt: stored results first, then the provider's list, and the policy
// after the in-doubt timeout.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "common/async/task.h"
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

// What a lookup found.
struct InDoubtFinding {
  std::optional<records::v1::AttemptResult> result = {};  // nothing while it stays in doubt
  bool read_list = false;                                 // the provider's list was read completely
};

// Stateless: any process can continue the lookups of another. Used on the loop's thread.
// Arguments must outlive the task.
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

  // Returns the result that resolves the attempt, stored in the claims; none while it stays in
  // doubt. Takes twice kListTimeout and two store timeouts at most. A list that cannot be read
  // proves nothing. Fails if the claims cannot be reached.
  Task<Result<InDoubtFinding>> Resolve(const records::v1::WorkRecord& lookup,
                                       const RegistrySnapshot& registry);

 private:
  struct ListReading {
    std::vector<records::v1::AttemptResult> found;  // for each entry that may be this attempt
    std::vector<std::string> sids;                  // of all entries to the recipient
    bool complete = false;
    bool may_prove_absence = false;  // as far as account and number are concerned
  };
  Task<ListReading> ReadList(const records::v1::WorkRecord& lookup,
                             const RegistrySnapshot& registry, WallTime now);
  Task<bool> ShowsRecipients(const Account& account);

  const Parts parts_;
  const InDoubtSchedule schedule_;
};

}  // namespace tocsin
