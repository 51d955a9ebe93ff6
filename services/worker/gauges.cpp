#include "services/worker/gauges.h"

#include <algorithm>
#include <array>
#include <utility>

namespace tocsin::worker {
namespace {

constexpr std::array<const char*, kLanes> kLaneNames{"emergency", "high", "normal", "bulk"};

void UpdatePool(telemetry::Metrics& metrics, const GaugedParts& parts) {
  for (size_t lane = 0; lane < kLanes; ++lane)
    metrics
        .Gauge("tocsin_lane_waiting_records", "Records in a lane that wait for their delivery",
               {{"lane", kLaneNames[lane]}})
        .Set(static_cast<double>(parts.pool.WaitingCount(lane)));
  metrics.Gauge("tocsin_lane_capacity_records", "Capacity of a lane in records")
      .Set(static_cast<double>(parts.settings.lane_capacity));
  metrics
      .Gauge("tocsin_deliveries_in_progress",
             "Deliveries in progress: also those that prepare a POST or record its result")
      .Set(static_cast<double>(parts.pool.InFlightCount()));
  metrics.Gauge("tocsin_senders_busy", "POSTs in progress")
      .Set(static_cast<double>(parts.limiter.InProgress()));
  metrics.Gauge("tocsin_senders", "Largest number of POSTs of the lowest priority in progress")
      .Set(static_cast<double>(parts.limits.posts));
  metrics
      .Gauge("tocsin_senders_blocked", "1 while a delivery is retried because a dependency failed")
      .Set(parts.pool.IsBlocked() ? 1 : 0);
}

void UpdateRedis(telemetry::Metrics& metrics, const GaugedParts& parts) {
  metrics.Gauge("tocsin_redis_connections_in_use", "Connections of the pool that are in use")
      .Set(static_cast<double>(parts.redis.ConnectionsInUse()));
  metrics.Gauge("tocsin_redis_connections_limit", "Maximum number of connections of the pool")
      .Set(static_cast<double>(parts.redis_pool_size));
}

void UpdateDelayQueue(telemetry::Metrics& metrics, const DelayQueue& delay_queue) {
  metrics.Gauge("tocsin_delay_queue_held_records", "Records held in memory until they are due")
      .Set(static_cast<double>(delay_queue.HeldCount()));
  metrics.Counter("tocsin_delay_queue_moved_total", "Records moved to their next topic")
      .RaiseTo(static_cast<double>(delay_queue.MovedCount()));
  metrics.Counter("tocsin_delay_queue_dropped_total", "Unparsable records on delay topics")
      .RaiseTo(static_cast<double>(delay_queue.DroppedCount()));
  metrics
      .Gauge("tocsin_delay_queue_lateness_seconds",
             "How long after its due time the last record was moved")
      .Set(std::chrono::duration<double>(delay_queue.LastLateness()).count());
}

void UpdateConsumer(telemetry::Metrics& metrics, const std::string& group,
                    const kafka::GroupConsumer& consumer) {
  std::int64_t lag = 0;
  std::optional<WallTime> oldest;
  for (const kafka::PartitionGauge& partition : consumer.Gauges()) {
    lag += std::max<std::int64_t>(partition.lag, 0);
    if (partition.oldest_uncompleted && (!oldest || *partition.oldest_uncompleted < *oldest))
      oldest = partition.oldest_uncompleted;
  }
  const telemetry::Labels labels{{"group", group}};
  metrics
      .Gauge("tocsin_consumer_lag_records", "Unfinished records up to the end of the log", labels)
      .Set(static_cast<double>(lag));
  metrics
      .Gauge("tocsin_consumer_oldest_unfinished_timestamp_seconds",
             "Append time of the oldest unfinished record that was read; 0 for none", labels)
      .Set(oldest ? static_cast<double>(ToUnixMicros(*oldest)) / 1e6 : 0);
}

}  // namespace

void ExportGauges(telemetry::Metrics& metrics, GaugedParts parts) {
  metrics.OnCollect([&metrics, parts = std::move(parts)] {
    UpdatePool(metrics, parts);
    UpdateRedis(metrics, parts);
    UpdateDelayQueue(metrics, parts.delay_queue);
    for (const auto& [group, consumer] : parts.consumers) UpdateConsumer(metrics, group, *consumer);
  });
}

}  // namespace tocsin::worker
