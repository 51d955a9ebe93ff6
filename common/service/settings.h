// Settings that several services read, under one name and one meaning.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "common/config/reader.h"
#include "common/kafka/settings.h"
#include "common/redis/settings.h"
#include "common/telemetry/log.h"

namespace tocsin::service {

// What every service has.
struct BaseSettings {
  std::string service;      // "tocsin-ingress"
  std::string instance;     // this replica among its like, the same after a restart
  std::string ops_address;  // host:port of /metrics and /readyz
  std::string registry_file;
  std::string keyring_file;
  kafka::KafkaSettings kafka;
  telemetry::Severity log_level = telemetry::Severity::kInfo;
  std::string otlp_endpoint;                // where spans go; empty: nowhere
  std::chrono::milliseconds drain{25'000};  // from SIGTERM to the end of what is in flight
};

// `service` is the program's name, `ops_setting` such as "TOCSIN_OPS_INGRESS".
BaseSettings ReadBase(config::Reader& reader, const std::string& service,
                      const std::string& ops_setting);

redis::Settings ReadRedis(config::Reader& reader, const std::string& prefix);

}  // namespace tocsin::service
