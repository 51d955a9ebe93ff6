#include "common/service/settings.h"

#include <unistd.h>

namespace tocsin::service {
namespace {

using std::chrono::milliseconds;

std::string HostName() {
  char name[256] = {};
  return gethostname(name, sizeof name - 1) == 0 ? name : "host";
}

}  // namespace

BaseSettings ReadBase(config::Reader& reader, const std::string& service,
                      const std::string& ops_setting) {
  BaseSettings base;
  base.service = service;
  base.instance = reader.Text("TOCSIN_INSTANCE", "name of this replica, the same after a restart")
                      .Default(service + "-" + HostName());
  base.ops_address =
      reader.HostPort(ops_setting, "where /metrics, /healthz and /readyz listen").Required().Text();
  base.registry_file =
      reader.Text("TOCSIN_REGISTRY_FILE", "YAML file of clients, accounts, senders, routes")
          .Required();
  base.keyring_file =
      reader.Text("TOCSIN_KEYRING_FILE", "file of keys, made by `tocsin keyring init`").Required();
  base.kafka.bootstrap =
      reader.Text("TOCSIN_KAFKA_BOOTSTRAP", "brokers, host:port and commas").Required();
  base.kafka.prefix =
      reader.Text("TOCSIN_TOPIC_PREFIX", "prefix of topics and groups").Default("tocsin");
  base.kafka.replication = static_cast<int>(
      reader.Integer("TOCSIN_KAFKA_REPLICATION", "copies of each partition; 3 in production", 1, 9)
          .Default(1));
  base.kafka.min_insync =
      static_cast<int>(reader
                           .Integer("TOCSIN_KAFKA_MIN_INSYNC",
                                    "copies that must have a record; 2 in production", 1, 9)
                           .Default(1));
  if (base.kafka.min_insync > base.kafka.replication)
    reader.AddFault("TOCSIN_KAFKA_MIN_INSYNC", "is more than TOCSIN_KAFKA_REPLICATION",
                    "raise the copies, or ask for fewer of them");
  base.kafka.client_id = service;
  base.kafka.instance = base.instance;
  base.otlp_endpoint = reader
                           .Url("TOCSIN_OTLP_ENDPOINT",
                                "collector of traces by OTLP/HTTP, such as "
                                "http://127.0.0.1:4318/v1/traces; none unless given",
                                {"http", "https"})
                           .Optional()
                           .value_or("");
  base.drain = reader
                   .Duration("TOCSIN_DRAIN", "from SIGTERM to the end of what is in flight",
                             milliseconds(100), milliseconds(600'000))
                   .Default(base.drain);
  const std::string level = reader
                                .Choice("TOCSIN_LOG_LEVEL", "least severity that is logged",
                                        {"debug", "info", "warn", "error"})
                                .Alias("SMS_LOG_LEVEL")
                                .Default("info");
  base.log_level = telemetry::SeverityNamed(level).value_or(telemetry::Severity::kInfo);
  return base;
}

redis::Settings ReadRedis(config::Reader& reader, const std::string& prefix) {
  const Secret url =
      reader.SecretUrl("TOCSIN_REDIS_URL", "redis://[:password@]host:port/database", {"redis"})
          .Alias("REDIS_URL")
          .Required();
  const auto pool = reader.Integer("TOCSIN_REDIS_CONNECTIONS", "connections to Redis", 1, 1000)
                        .Alias("REDIS_MAX_CONNECTIONS")
                        .Default(static_cast<std::int64_t>(redis::kDefaultPoolSize));
  if (url.empty()) return {};  // the reader has its fault
  auto settings = redis::ParseUrl(url.Reveal());
  if (!settings) {
    reader.AddFault("TOCSIN_REDIS_URL", settings.error().message, "write redis://host:port/0");
    return {};
  }
  settings->prefix = prefix;
  settings->pool_size = static_cast<std::size_t>(pool);
  return *std::move(settings);
}

}  // namespace tocsin::service
