// Settings that several services have in common.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "common/config/reader.h"
#include "common/kafka/settings.h"
#include "common/redis/settings.h"
#include "common/telemetry/log.h"

namespace tocsin::service {

// Settings of every service.
struct BaseSettings {
  std::string service;      // "tocsin-ingress"
  std::string instance;     // name of this replica, the same after a restart
  std::string ops_address;  // host:port of /metrics and /readyz
  std::string registry_file;
  std::string keyring_file;
  kafka::KafkaSettings kafka;
  telemetry::Severity log_level = telemetry::Severity::kInfo;
  std::string otlp_endpoint;                // OTLP/HTTP URL; empty: no spans are exported
  std::chrono::milliseconds drain{25'000};  // from SIGTERM to the end of the work in progress
};

// `service` is the name of the program. `ops_setting` is such as "TOCSIN_OPS_INGRESS_ADDRESS"; the
// name without _ADDRESS is its alias.
BaseSettings ReadBase(config::Reader& reader, const std::string& service,
                      const std::string& ops_setting);

// For main(), after all settings were read. Prints what the command line asks for (--help,
// --print-settings, --check-config) as Reader::Conclude() does; otherwise logs each warning and
// each error. Returns the exit code if the program must exit. Later lines of the log name this
// service.
std::optional<int> Conclude(config::Reader& reader, const BaseSettings& base);

redis::Settings ReadRedis(config::Reader& reader, const std::string& prefix);

// TOCSIN_PUBLIC_BASE_URL without a trailing slash. The workers pass it to Twilio, the ingress
// verifies signatures with it.
std::string ReadPublicBaseUrl(config::Reader& reader);

}  // namespace tocsin::service
