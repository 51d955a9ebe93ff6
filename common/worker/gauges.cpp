#include "common/worker/gauges.h"

#include <algorithm>
#include <array>
#include <utility>

namespace tocsin::worker {
namespace {

constexpr std::array<const char*, kLanes> kLaneNames{"emergency", "high", "normal", "bulk"};

void ShowConsumer(telemetry::Metrics& metrics, const std::string& group,
                  const kafka::GroupConsumer& consumer) {
  std::int64_t lag = 0;
  std::optional<WallTime> oldest;
  for (const kafka::PartitionGauge& partition : consumer.Gauges()) {
    lag += std::max<std::int64_t>(partition.lag, 0);
    if (partition.oldest_open && (!oldest || *partition.oldest_open < *oldest))
      oldest = partition.oldest_open;
  }
  const telemetry::Labels labels{{"group", group}};
  metrics
      .Gauge("tocsin_consumer_lag_records", "Records not finished, to the end of the log", labels)
      .Set(static_cast<double>(lag));
  metrics
      .Gauge("tocsin_consumer_oldest_unfinished_timestamp_seconds",
             "Append time of the oldest record read and not finished; 0 for none", labels)
      .Set(oldest ? static_cast<double>(ToUnixMicros(*oldest)) / 1e6 : 0);
}

}  // namespace

SenderPoolObserver Observe(telemetry::Metrics& metrics, const std::string& channel,
                           std::function<void(const Error&)> held) {
  std::map<Passage, telemetry::Counter*> counters;
  for (const Passage passage : kPassages)
    counters[passage] = &metrics.Counter("tocsin_" + channel + "_passages_total",
                                         "Work records that left the pipeline",
                                         {{"passage", std::string(NameOf(passage))}});
  telemetry::Histogram& seconds = metrics.Histogram(
      "tocsin_" + channel + "_passage_seconds", "From a sender taking a record to its last report",
      {.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30});
  return {.delivered =
              [counters = std::move(counters), &seconds](Passage passage, Micros took) {
                counters.at(passage)->Increment();
                seconds.Observe(std::chrono::nanoseconds(took));
              },
          .held = std::move(held)};
}

ReconciliationObserver ObserveReconciliation(telemetry::Metrics& metrics,
                                             const std::string& channel,
                                             std::function<void(const Error&)> failed) {
  telemetry::Gauge& open = metrics.Gauge(
      "tocsin_open_tries", "Tries that Twilio has whose end or price is not known yet",
      {{"channel", channel}});
  std::map<Finding, telemetry::Counter*> counters;
  for (const Finding finding : kFindings)
    counters[finding] =
        &metrics.Counter("tocsin_reconciled_tries_total", "Looks into Twilio's books",
                         {{"channel", channel}, {"result", std::string(NameOf(finding))}});
  return {.run = [&open](std::size_t tries) { open.Set(static_cast<double>(tries)); },
          .found = [counters = std::move(counters)](
                       Finding finding) { counters.at(finding)->Increment(); },
          .failed = std::move(failed)};
}

void ExportGauges(telemetry::Metrics& metrics, GaugedParts parts) {
  metrics.BeforeText([&metrics, parts = std::move(parts)] {
    for (size_t lane = 0; lane < kLanes; ++lane)
      metrics
          .Gauge("tocsin_lane_waiting_records", "Records in a lane, no sender has them yet",
                 {{"lane", kLaneNames[lane]}})
          .Set(static_cast<double>(parts.pool.Waiting(lane)));
    metrics.Gauge("tocsin_lane_capacity_records", "Records that may wait in a lane")
        .Set(static_cast<double>(parts.limits.lane_capacity));
    metrics.Gauge("tocsin_senders_busy", "Senders that hold a record")
        .Set(static_cast<double>(parts.pool.Busy()));
    metrics.Gauge("tocsin_senders", "Senders there are")
        .Set(static_cast<double>(parts.limits.senders));
    metrics.Gauge("tocsin_senders_held", "1 while a sender waits for a neighbour that is down")
        .Set(parts.pool.Held() ? 1 : 0);
    metrics.Gauge("tocsin_redis_connections_in_use", "Connections on loan from the pool")
        .Set(static_cast<double>(parts.redis.ConnectionsInUse()));
    metrics.Gauge("tocsin_redis_connections_limit", "Connections of the pool, at most")
        .Set(static_cast<double>(parts.redis_connections));
    metrics.Gauge("tocsin_relay_held_records", "Records that wait in memory for their time")
        .Set(static_cast<double>(parts.relay.Held()));
    metrics.Counter("tocsin_relay_moved_total", "Records handed on")
        .RaiseTo(static_cast<double>(parts.relay.Moved()));
    metrics.Counter("tocsin_relay_dropped_total", "Records on delay topics that are no work")
        .RaiseTo(static_cast<double>(parts.relay.Dropped()));
    metrics
        .Gauge("tocsin_relay_lateness_seconds", "By how much the last record left after its time")
        .Set(std::chrono::duration<double>(parts.relay.LastLateness()).count());
    for (const auto& [group, consumer] : parts.consumers) ShowConsumer(metrics, group, *consumer);
  });
}

}  // namespace tocsin::worker
