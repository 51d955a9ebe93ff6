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

// Brings alerts and tries up to date. `said` is what the batch says of its alerts, `facts` all its
// facts, `with_new_facts` the alerts of those that were new. Alerts that are there are locked and
// all their facts folded again; they get a new revision when they have new facts or what is said of
// them is new. The others are written once, from the batch alone: facts never come without their
// alert. Gives the alerts written.
Result<AlertIds> WriteAlerts(postgres::Transaction& transaction, const AlertIds& with_new_facts,
                             const std::map<std::string, AlertRow>& said,
                             const std::vector<AlertFact>& facts);

// Facts by time, then id.
Result<FactsByAlert> ReadFacts(postgres::Transaction& transaction, const AlertIds& alerts);

// '{"…","…"}' for $n::uuid[].
postgres::Value IdArray(const AlertIds& ids);

}  // namespace tocsin::audit
