// The tables of alerts, tries and facts. Functions of one transaction; each sends one statement for
// any number of rows. Ids come sorted, so that locks are taken in one order.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/domain/folding.h"
#include "common/postgres/session.h"
#include "services/audit/intake.h"

namespace tocsin::audit {

using AlertIds = std::set<std::string>;
using FactsByAlert = std::map<std::string, std::vector<Fact>>;

// Adds the facts that are new; gives the alerts they belong to, and their number.
struct NewFacts {
  AlertIds alerts;
  size_t count = 0;
};
Result<NewFacts> InsertFacts(postgres::Transaction& transaction,
                             const std::vector<AlertFact>& facts);

// Adds the alerts that are not there, as pending; gives those that were there.
Result<AlertIds> InsertAlerts(postgres::Transaction& transaction,
                              const std::map<std::string, AlertRow>& alerts);

// Locks the alerts, folds all their facts again and writes alerts and tries. `said` is what the
// batch says of them beside. Alerts with new facts get a new revision; those only `said_again` of,
// if that changed them.
Status Refold(postgres::Transaction& transaction, const AlertIds& with_new_facts,
              const AlertIds& said_again, const std::map<std::string, AlertRow>& said);

// Facts by time, then id.
Result<FactsByAlert> ReadFacts(postgres::Transaction& transaction, const AlertIds& alerts);

// '{"…","…"}' for $n::uuid[].
postgres::Value IdArray(const AlertIds& ids);

}  // namespace tocsin::audit
