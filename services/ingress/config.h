// Settings of the ingress.
#pragma once

#include <string>

#include "common/config/reader.h"
#include "common/redis/settings.h"
#include "common/service/settings.h"
#include "services/ingress/acceptance/acceptance.h"

namespace tocsin::ingress {

struct Config {
  service::BaseSettings base;
  redis::Settings redis;
  std::string http_address;  // of the webhook server
  std::string grpc_address;  // of the gRPC server
  // By which Twilio and recipients reach http_address; no trailing slash.
  std::string public_base_url;
  int http_threads = 2;
  AcceptanceSettings acceptance;

  static Config Read(config::Reader& reader);
};

}  // namespace tocsin::ingress
