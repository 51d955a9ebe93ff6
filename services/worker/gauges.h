// Gauges of a worker, updated whenever the metrics are collected.
#pragma once

#include <map>
#include <string>

#include "common/delivery/delay_queue.h"
#include "common/delivery/delivery_pool.h"
#include "common/delivery/post_limiter.h"
#include "common/kafka/group_consumer.h"
#include "common/redis/server.h"
#include "common/telemetry/metrics.h"

namespace tocsin::worker {

// The parts must outlive the last collection.
struct GaugedParts {
  const DeliveryPool& pool;
  DeliveryPoolSettings settings;
  const PostLimiter& limiter;
  PostLimits limits;
  const redis::Server& redis;
  size_t redis_pool_size;
  const DelayQueue& delay_queue;
  std::map<std::string, const kafka::GroupConsumer*> consumers;  // by group
};

void ExportGauges(telemetry::Metrics& metrics, GaugedParts parts);

}  // namespace tocsin::worker
