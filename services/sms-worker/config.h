// Settings of the SMS worker.
#pragma once

#include <chrono>
#include <string>

#include "common/config/reader.h"
#include "common/delivery/pipeline.h"
#include "common/delivery/sender_pool.h"
#include "common/redis/settings.h"
#include "common/service/settings.h"

namespace tocsin::sms {

struct Config {
  service::BaseSettings base;
  redis::Settings redis;
  std::string twilio_base_url;  // https://api.twilio.com
  std::string public_base_url;  // how Twilio reaches the ingress
  std::chrono::milliseconds connect_limit{3'000};
  DeliverySettings delivery;
  SenderPoolSettings pool;

  static Config Read(config::Reader& reader);
};

}  // namespace tocsin::sms
