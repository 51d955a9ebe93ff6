#include "services/audit/operations/config.h"

namespace tocsin::audit {

Config Config::Read(config::Reader& reader) {
  Config config;
  config.base = service::ReadBase(reader, "tocsin-audit", "TOCSIN_OPS_AUDIT_ADDRESS");
  config.postgres.url =
      reader
          .SecretUrl("TOCSIN_POSTGRES_URL",
                     "PostgreSQL with the schema of `services/audit/migrations` (sqitch): "
                     "`postgresql://[user[:password]@]host[:port]/database`",
                     {"postgresql", "postgres"})
          .Required();
  config.postgres.application = config.base.service;
  config.grpc_address =
      reader
          .HostPort("TOCSIN_AUDIT_GRPC_ADDRESS",
                    "address of the gRPC server for clients; without TLS: bind it to an internal "
                    "network")
          .Alias("TOCSIN_AUDIT_GRPC")
          .Example("0.0.0.0:7444")
          .Required()
          .Text();
  config.writers = static_cast<size_t>(
      reader
          .Integer("TOCSIN_AUDIT_WRITERS",
                   "consumers that project records at the same time, with a connection to "
                   "PostgreSQL each",
                   1, 16, "consumers")
          .Default(static_cast<std::int64_t>(config.writers)));
  config.readers = static_cast<size_t>(reader
                                           .Integer("TOCSIN_AUDIT_READERS",
                                                    "connections to PostgreSQL that serve reads", 1,
                                                    64, "connections")
                                           .Default(static_cast<std::int64_t>(config.readers)));
  config.waiting_reads = static_cast<size_t>(
      reader
          .Integer("TOCSIN_AUDIT_WAITING_READS",
                   "requests that wait for a connection; above it the reason is OVERLOADED", 1,
                   100'000, "requests")
          .Default(static_cast<std::int64_t>(config.waiting_reads)));
  return config;
}

}  // namespace tocsin::audit
