// Reads alerts as the API returns them.
#pragma once

#include <map>
#include <string>

#include "common/base/result.h"
#include "common/postgres/session.h"
#include "services/audit/projection/alert_writer.h"
#include "tocsin/v1/status_service.pb.h"

namespace tocsin::audit {

// Fails with kNotFound, naming the id, if there is no such alert or it is another client's: a
// client cannot tell the two apart. `alert_id` is a UUID. Blocks for four statements.
Result<v1::Alert> ReadAlert(postgres::Session& session, const std::string& client_id,
                            const std::string& alert_id);

// Those of `ids` that exist, of any client, by id; all from one snapshot. Blocks for four
// statements.
Result<std::map<std::string, v1::Alert>> ReadAlerts(postgres::Session& session,
                                                    const AlertIds& ids);

// An alert without attempts and timeline.
v1::Alert MakeAlert(const AlertRow& row);

Error AlertNotFound(const std::string& alert_id);

}  // namespace tocsin::audit
