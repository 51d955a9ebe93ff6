// Reads alerts as callers see them.
#pragma once

#include <map>
#include <string>

#include "common/base/result.h"
#include "common/postgres/session.h"
#include "services/audit/alert_tables.h"
#include "tocsin/v1/status_service.pb.h"

namespace tocsin::audit {

// Blocks for four statements. kNotFound when there is no such alert or it is not `client_id`'s: a
// caller does not learn which. `alert_id` is a UUID.
Result<v1::Alert> ReadAlert(postgres::Session& session, const std::string& client_id,
                            const std::string& alert_id);

// The alerts of `ids` that are known, by id, whoever's they are; all as of one instant. Blocks for
// four statements.
Result<std::map<std::string, v1::Alert>> ReadAlerts(postgres::Session& session,
                                                    const AlertIds& ids);

// "SELECT … FROM tocsin.alerts" with the columns that FillAlert() reads.
std::string SelectOfAlerts();
// Without tries and timeline.
void FillAlert(const postgres::Rows& rows, size_t row, v1::Alert& alert);
std::int64_t AcceptedMicros(const postgres::Rows& rows, size_t row);  // 0 when it is not known

}  // namespace tocsin::audit
