// Settings of the ingress.
#pragma once

#include <string>

#include "common/config/reader.h"
#include "common/redis/settings.h"
#include "common/service/settings.h"
#include "services/ingress/acceptance.h"

namespace tocsin::ingress {

struct Config {
  service::BaseSettings base;
  redis::Settings redis;
  std::string http_address;     // for Twilio
  std::string grpc_address;     // for callers
  std::string public_base_url;  // how Twilio reaches http_address; no slash at its end
  int http_threads = 2;
  AcceptanceSettings acceptance;

  static Config Read(config::Reader& reader);
};

}  // namespace tocsin::ingress
