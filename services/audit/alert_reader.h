// Reads one alert as callers see it.
#pragma once

#include <string>

#include "common/base/result.h"
#include "common/postgres/session.h"
#include "tocsin/v1/status_service.pb.h"

namespace tocsin::audit {

// Blocks for three statements. kNotFound when there is no such alert or it is not `client_id`'s: a
// caller does not learn which. `alert_id` is a UUID.
Result<v1::Alert> ReadAlert(postgres::Session& session, const std::string& client_id,
                            const std::string& alert_id);

}  // namespace tocsin::audit
