// One look at a try in doubt: what is known by now, what the carrier lists, and when the time is up
// the policy.
#pragma once

#include <functional>
#include <optional>

#include "common/base/result.h"
#include "common/domain/doubt.h"
#include "common/domain/registry.h"
#include "common/ports/claims.h"
#include "common/ports/clock.h"
#include "common/ports/taken_list.h"
#include "common/ports/vault.h"

namespace tocsin {

constexpr std::chrono::seconds kListLimit{5};  // of all pages of one look

// Holds nothing between looks, so one process may begin and another end. Safe to call from several
// threads.
class DoubtLook {
 public:
  struct Parts {
    const Clock& clock;
    Claims& claims;
    Vault& vault;
    TakenList& list;
    std::function<void(const Error&)> list_failed;
  };

  DoubtLook(Parts parts, const DoubtSchedule& schedule) : parts_(parts), schedule_(schedule) {}

  // The outcome that settles the doubt, kept in the claims; nothing while it stays open. Blocks,
  // kListLimit and two store time-outs at most. A list that cannot be read settles nothing before
  // the time is up; an error means that the claims do not answer.
  Result<std::optional<v1::Receipt>> Look(const v1::WorkRecord& look,
                                          const RegistrySnapshot& registry);

 private:
  // ACCEPTED for each entry that may be this try, the likeliest first.
  std::vector<v1::Receipt> FindInList(const v1::WorkRecord& look, const RegistrySnapshot& registry);

  const Parts parts_;
  const DoubtSchedule schedule_;
};

}  // namespace tocsin
