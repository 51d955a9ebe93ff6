// Settings of a worker of any channel.
#pragma once

#include <chrono>
#include <string>

#include "common/config/reader.h"
#include "common/delivery/delivery_pool.h"
#include "common/delivery/pipeline.h"
#include "common/delivery/reconciliation.h"
#include "common/redis/settings.h"
#include "common/service/settings.h"

namespace tocsin::worker {

struct Config {
  service::BaseSettings base;
  redis::Settings redis;
  std::string twilio_base_url;  // without a path
  std::string public_base_url;  // how Twilio reaches the ingress
  std::chrono::milliseconds connect_timeout{3'000};
  std::chrono::seconds ring{30};     // ring timeout of a call
  bool end_unanswered_calls = true;  // when the goal of their plan is reached
  DeliverySettings delivery;
  PostLimits posts;
  DeliveryPoolSettings pool;
  ReconciliationSettings reconciliation;

  // `program` such as "tocsin-sms-worker", `ops_setting` such as "TOCSIN_OPS_SMS_WORKER_ADDRESS".
  static Config Read(config::Reader& reader, const std::string& program,
                     const std::string& ops_setting);
};

}  // namespace tocsin::worker
