// Writes alerts, attempts and alert events, with few statements for any number of rows. Alerts are
// locked in the order of their ids.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/postgres/session.h"
#include "services/audit/projection/rows.h"

namespace tocsin::audit {

using AlertIds = std::set<std::string>;
using AlertEventsByAlert = std::map<std::string, std::vector<AlertEvent>>;

struct NewEvents {
  AlertIds alerts;  // that the new events belong to
  size_t count = 0;
  bool all = true;  // no event was stored before
};

// Inserts the events that are not stored yet. `events` are sorted by key, which is unique.
Result<NewEvents> InsertAlertEvents(postgres::Transaction& transaction,
                                    const std::vector<AlertEventRow>& events);

// Inserts and updates the alerts of a batch and their attempts. `added` is what InsertAlertEvents()
// returned for `events`, the events of the batch; `terms` is what the batch states about its
// alerts. A stored alert is locked and projected again from all of its stored events; it gets a
// higher revision if it has new events or if its terms changed. Other alerts are inserted from the
// batch alone, because events are never stored without their alert. Returns the alerts written.
Result<AlertIds> WriteAlerts(postgres::Transaction& transaction, const NewEvents& added,
                             const std::map<std::string, AlertTerms>& terms,
                             const std::vector<AlertEventRow>& events);

// Sorted by time and id.
Result<AlertEventsByAlert> ReadAlertEvents(postgres::Transaction& transaction,
                                           const AlertIds& alerts);

}  // namespace tocsin::audit
