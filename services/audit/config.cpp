#include "services/audit/config.h"

namespace tocsin::audit {

Config Config::Read(config::Reader& reader) {
  Config config;
  config.base = service::ReadBase(reader, "tocsin-audit", "TOCSIN_OPS_AUDIT");
  config.postgres.url =
      reader
          .SecretUrl("TOCSIN_POSTGRES_URL", "postgresql://[user[:password]@]host[:port]/database",
                     {"postgresql", "postgres"})
          .Required();
  config.postgres.application = config.base.service;
  config.grpc_address =
      reader.HostPort("TOCSIN_AUDIT_GRPC", "where gRPC callers ask").Required().Text();
  config.readers = static_cast<size_t>(
      reader.Integer("TOCSIN_AUDIT_READERS", "connections that serve reading calls", 1, 64)
          .Default(static_cast<std::int64_t>(config.readers)));
  config.waiting_reads = static_cast<size_t>(
      reader.Integer("TOCSIN_AUDIT_WAITING_READS", "calls that wait for a reader", 1, 100'000)
          .Default(static_cast<std::int64_t>(config.waiting_reads)));
  return config;
}

}  // namespace tocsin::audit
