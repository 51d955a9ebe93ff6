// Lists a client's alerts by filter, newest first, in pages.
#pragma once

#include "common/ports/vault.h"
#include "common/postgres/session.h"
#include "services/audit/query/alert_filter.h"
#include "tocsin/v1/status_service.pb.h"

namespace tocsin::audit {

// Alerts whose acceptance was projected, without attempts and timeline. Blocks for one statement.
Result<v1::ListAlertsResponse> ListAlerts(postgres::Session& session, const AlertFilter& filter,
                                          Vault& vault);

// The statement of ListAlerts(), also for EXPLAIN.
postgres::Statement SelectAlerts(const AlertFilter& filter);

}  // namespace tocsin::audit
