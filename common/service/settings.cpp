#include "common/service/settings.h"

#include <unistd.h>

#include <sstream>

namespace tocsin::service {
namespace {

using std::chrono::milliseconds;

std::string HostName() {
  char name[256] = {};
  return gethostname(name, sizeof name - 1) == 0 ? name : "host";
}

// tocsin-ingress -> ingress
std::string WithoutPrefix(const std::string& service) {
  return service.substr(service.find('-') + 1);
}

// TOCSIN_OPS_INGRESS_ADDRESS -> TOCSIN_OPS_INGRESS
std::string WithoutSuffix(const std::string& setting) {
  return setting.substr(0, setting.rfind("_ADDRESS"));
}

constexpr const char* kKafkaProperties = "TOCSIN_KAFKA_PROPERTIES";

// Lines NAME=VALUE; empty lines and lines that begin with # are skipped.
void ReadKafkaProperties(config::Reader& reader, kafka::KafkaSettings& kafka) {
  const auto text =
      reader
          .SecretText(kKafkaProperties,
                      "how to connect to the brokers: properties of librdkafka whose names begin "
                      "with `security.`, `ssl.`, `sasl.` or `enable.ssl.`, such as "
                      "`security.protocol=ssl`; default: without TLS and authentication",
                      "lines of NAME=VALUE")
          .Optional();
  std::istringstream lines(text ? text->Reveal() : std::string());
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty() || line.front() == '#') continue;
    const size_t equals = line.find('=');
    if (equals == std::string::npos || equals == 0) {
      reader.AddError(kKafkaProperties, "has a line that is not NAME=VALUE",
                      "write one property on each line, such as security.protocol=ssl");
      return;
    }
    kafka.security.insert_or_assign(line.substr(0, equals), Secret(line.substr(equals + 1)));
  }
  if (kafka.security.empty() || kafka.bootstrap_servers.empty()) return;
  // Not at the first connection: a file that a property names may be missing.
  if (const Status valid = kafka::Validate(kafka); !valid)
    reader.AddError(kKafkaProperties, valid.error().field + ": " + valid.error().message,
                    "see CONFIGURATION.md of librdkafka 2.0");
}

void ReadKafka(config::Reader& reader, kafka::KafkaSettings& kafka) {
  kafka.bootstrap_servers =
      reader.Text("TOCSIN_KAFKA_BOOTSTRAP", "Kafka brokers: host:port, separated by commas")
          .Example("kafka-1:9092,kafka-2:9092,kafka-3:9092")
          .Required();
  kafka.prefix =
      reader.Text("TOCSIN_TOPIC_PREFIX", "prefix of topics, consumer groups and Redis keys")
          .Default("tocsin");
  kafka.replication_factor = static_cast<int>(
      reader
          .Integer("TOCSIN_KAFKA_REPLICATION",
                   "replication factor of topics that the service creates; 3 in production", 1, 9,
                   "replicas")
          .Example("3")
          .Default(1));
  kafka.min_insync_replicas = static_cast<int>(
      reader
          .Integer("TOCSIN_KAFKA_MIN_INSYNC",
                   "`min.insync.replicas` of topics that the service creates; 2 in production", 1,
                   9, "replicas")
          .Example("2")
          .Default(1));
  ReadKafkaProperties(reader, kafka);
  if (kafka.min_insync_replicas > kafka.replication_factor)
    reader.AddError("TOCSIN_KAFKA_MIN_INSYNC", "is greater than TOCSIN_KAFKA_REPLICATION",
                    "lower it, or raise TOCSIN_KAFKA_REPLICATION");
}

}  // namespace

BaseSettings ReadBase(config::Reader& reader, const std::string& service,
                      const std::string& ops_setting) {
  BaseSettings base;
  base.service = service;
  base.instance = reader.Text("TOCSIN_INSTANCE", "name of this replica, the same after a restart")
                      .DefaultText("program and host name")
                      .Example(WithoutPrefix(service) + "-1")
                      .Default(service + "-" + HostName());
  base.ops_address = reader.HostPort(ops_setting, "address of /metrics, /healthz and /readyz")
                         .Alias(WithoutSuffix(ops_setting))
                         .Example("0.0.0.0:9464")
                         .Required()
                         .Text();
  base.registry_file =
      reader.Text("TOCSIN_REGISTRY_FILE", "YAML file of clients, accounts, senders and routes")
          .Example("/etc/tocsin/registry.yaml")
          .Required();
  base.keyring_file =
      reader.Text("TOCSIN_KEYRING_FILE", "file of keys, created by `tocsin keyring init`")
          .Example("/etc/tocsin/keyring")
          .Required();
  ReadKafka(reader, base.kafka);
  base.kafka.client_id = service;
  base.kafka.group_instance_id = base.instance;
  base.otlp_endpoint = reader
                           .Url("TOCSIN_OTLP_ENDPOINT",
                                "OTLP/HTTP endpoint of the trace collector; spans it refuses are "
                                "dropped and counted",
                                {"http", "https"})
                           .Example("http://otel-collector:4318/v1/traces")
                           .Optional()
                           .value_or("");
  base.drain =
      reader
          .Duration("TOCSIN_DRAIN_TIMEOUT", "time from SIGTERM to the end of the work in progress",
                    milliseconds(100), std::chrono::minutes(10))
          .Default(base.drain);
  const std::string level = reader
                                .Choice("TOCSIN_LOG_LEVEL", "lowest severity that is logged",
                                        {"debug", "info", "warn", "error"})
                                .Alias("SMS_LOG_LEVEL")
                                .Default("info");
  base.log_level = telemetry::SeverityNamed(level).value_or(telemetry::Severity::kInfo);
  return base;
}

std::optional<int> Conclude(config::Reader& reader, const BaseSettings& base) {
  telemetry::SetLogIdentity(base.service, base.instance);
  if (reader.PrintsOnly()) return reader.Conclude();
  const Status valid = reader.Finish();
  for (const std::string& warning : reader.warnings())
    telemetry::Log(telemetry::Severity::kWarn, "config.warning", warning);
  for (const config::SettingError& error : reader.errors())
    telemetry::Log(telemetry::Severity::kFatal, "config.invalid",
                   error.setting + ' ' + error.reason,
                   {{"setting", error.setting}, {"place", error.place}, {"fix", error.fix}});
  return valid ? std::nullopt : std::optional(config::kExitUsage);
}

redis::Settings ReadRedis(config::Reader& reader, const std::string& prefix) {
  const Secret url =
      reader
          .SecretUrl("TOCSIN_REDIS_URL",
                     "Redis 7 with `appendonly yes` and `maxmemory-policy noeviction`: "
                     "`redis://[[user]:password@]host[:port][/database]`",
                     {"redis"})
          .Alias("REDIS_URL")
          .Required();
  const auto pool = reader
                        .Integer("TOCSIN_REDIS_CONNECTIONS",
                                 "largest number of connections to Redis", 1, 1000, "connections")
                        .Alias("REDIS_MAX_CONNECTIONS")
                        .Default(static_cast<std::int64_t>(redis::kDefaultPoolSize));
  if (url.empty()) return {};  // the reader reports the error
  auto settings = redis::ParseUrl(url.Reveal());
  if (!settings) {
    reader.AddError("TOCSIN_REDIS_URL", settings.error().message, "write redis://host:port/0");
    return {};
  }
  settings->prefix = prefix;
  settings->pool_size = static_cast<std::size_t>(pool);
  return *std::move(settings);
}

std::string ReadPublicBaseUrl(config::Reader& reader) {
  std::string url =
      reader
          .Url(
              "TOCSIN_PUBLIC_BASE_URL",
              "public URL of the ingress for Twilio and for links in messages: scheme, host, port, "
              "path prefix; the same for all services, because Twilio signs it",
              {"https", "http"})
          .Alias("TWILIO_WEBHOOK_BASE_URL")
          .Example("https://alerts.example.com")
          .Required();
  while (url.ends_with('/')) url.pop_back();
  return url;
}

}  // namespace tocsin::service
