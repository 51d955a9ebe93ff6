// The health checks of tocsin-audit.
#pragma once

#include <vector>

#include "common/postgres/session.h"
#include "common/service/health.h"
#include "services/audit/operations/kafka_clients.h"

namespace tocsin::audit {

// The references outlive the checks. `session` is for the health thread alone.
std::vector<service::HealthCheck> MakeHealthChecks(KafkaClients& kafka, postgres::Session& session);

}  // namespace tocsin::audit
