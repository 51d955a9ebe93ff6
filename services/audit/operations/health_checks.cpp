#include "services/audit/operations/health_checks.h"

namespace tocsin::audit {

std::vector<service::HealthCheck> MakeHealthChecks(KafkaClients& kafka,
                                                   postgres::Session& session) {
  // A query of a table checks the server, the rights and the schema.
  const auto read_table = [](postgres::Transaction& transaction) -> Status {
    TOCSIN_CHECK_OK(transaction.Query("SELECT 1 FROM tocsin.positions LIMIT 1"));
    return {};
  };
  return {{"kafka", [&kafka] { return kafka.Check(); }},
          {"postgres", [&session, read_table] { return session.Run(read_table); }}};
}

}  // namespace tocsin::audit
