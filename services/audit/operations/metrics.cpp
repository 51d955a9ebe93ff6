#include "services/audit/operations/metrics.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <numeric>
#include <utility>

#include "common/telemetry/log.h"

namespace tocsin::audit {
namespace {

const telemetry::Buckets kBatchSeconds{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10};

// From a response that reads a few rows to one that waited for a consistency token.
const telemetry::Buckets kResponseSeconds{.001, .0025, .005, .01, .025, .05, .1,
                                          .25,  .5,    1,    2.5, 5,    10,  30};

telemetry::Gauge& BatchTime(telemetry::Metrics& metrics, size_t writer) {
  return metrics.Gauge("tocsin_audit_batch_timestamp_seconds",
                       "Append time of the oldest record of a writer's current or last batch",
                       {{"writer", std::to_string(writer + 1)}});
}

std::vector<telemetry::Gauge*> BatchTimes(telemetry::Metrics& metrics, size_t writers) {
  std::vector<telemetry::Gauge*> gauges;
  for (size_t i = 0; i < writers; ++i) gauges.push_back(&BatchTime(metrics, i));
  return gauges;
}

const std::vector<rpc::MeasuredService> kServices{
    {"StatusService", {{"GetAlert"}, {"ListAlerts"}, {"WatchAlert", /*timed=*/false}}},
    {"AdminService", {{"ListDeadLetters"}, {"RedriveDeadLetter"}, {"DiscardDeadLetter"}}}};

std::map<TopicKind, telemetry::Counter*> RecordCounters(telemetry::Metrics& metrics) {
  std::map<TopicKind, telemetry::Counter*> counters;
  for (size_t kind = 0; kind < kTopicKinds.size(); ++kind)
    counters[static_cast<TopicKind>(kind)] =
        &metrics.Counter("tocsin_audit_records_total", "Records projected",
                         {{"topic_kind", std::string(kTopicKinds[kind])}});
  return counters;
}

// A gauge for each value of the label.
std::map<std::string, telemetry::Gauge*> GaugesBy(telemetry::Metrics& metrics,
                                                  const std::string& name, const std::string& help,
                                                  const std::string& label,
                                                  const std::vector<std::string>& values) {
  std::map<std::string, telemetry::Gauge*> gauges;
  for (const std::string& value : values)
    gauges[value] = &metrics.Gauge(name, help, {{label, value}});
  return gauges;
}

void SetAll(const std::map<std::string, std::int64_t>& counts,
            const std::map<std::string, telemetry::Gauge*>& gauges) {
  for (const auto& [name, gauge] : gauges) {
    const auto found = counts.find(name);
    gauge->Set(found == counts.end() ? 0 : static_cast<double>(found->second));
  }
}

double SecondsOf(const std::optional<WallTime>& time) {
  return time ? static_cast<double>(ToUnixMicros(*time)) / 1e6 : 0;
}

std::int64_t LagOf(const kafka::ProjectionGauge& gauge) {
  if (gauge.watermarks.high < 0) return 0;
  return std::max<std::int64_t>(
      gauge.watermarks.high - std::max(gauge.next_offset, gauge.watermarks.low), 0);
}

void SetLag(telemetry::Metrics& metrics, const Gauges::Parts& parts) {
  std::array<std::int64_t, kTopicKinds.size()> lag{};
  double oldest = 0;
  const auto writers = parts.partitions();
  for (size_t writer = 0; writer < writers.size(); ++writer) {
    std::int64_t unfinished = 0;
    for (const kafka::ProjectionGauge& gauge : writers[writer]) {
      const auto kind = parts.topics.KindOf(gauge.topic);
      if (!kind) continue;
      lag[static_cast<size_t>(*kind)] += LagOf(gauge);
      unfinished += LagOf(gauge);
    }
    const double time = unfinished == 0 ? 0 : BatchTime(metrics, writer).Value();
    if (time != 0) oldest = oldest == 0 ? time : std::min(oldest, time);
  }
  for (size_t kind = 0; kind < lag.size(); ++kind)
    metrics
        .Gauge("tocsin_audit_lag_records", "Records of assigned partitions that are not projected",
               {{"topic_kind", std::string(kTopicKinds[kind])}})
        .Set(static_cast<double>(lag[kind]));
  const telemetry::Labels group{{"group", "audit"}};
  metrics.Gauge("tocsin_consumer_lag_records", "Records not finished, to the end of the log", group)
      .Set(static_cast<double>(std::accumulate(lag.begin(), lag.end(), std::int64_t{0})));
  metrics
      .Gauge("tocsin_consumer_oldest_unfinished_timestamp_seconds",
             "Append time of the oldest record read and not finished; 0 for none", group)
      .Set(oldest);
}

void SetRequests(telemetry::Metrics& metrics, const Gauges::Parts& parts) {
  metrics.Gauge("tocsin_audit_waiting_requests", "Requests that wait for a consistency token")
      .Set(static_cast<double>(parts.waiter.waiting()));
  metrics.Gauge("tocsin_audit_watchers", "Alerts watched by open streams")
      .Set(static_cast<double>(parts.subscriptions.count()));
  metrics.Gauge("tocsin_audit_waiting_reads", "Requests that wait for a reader")
      .Set(static_cast<double>(parts.readers.waiting()));
  metrics
      .Gauge("tocsin_audit_waiting_reads_limit",
             "Requests that may wait for a reader; more are refused as OVERLOADED")
      .Set(static_cast<double>(parts.max_waiting_reads));
}

}  // namespace

AuditMetrics::AuditMetrics(telemetry::Metrics& metrics, size_t writers)
    : records_(RecordCounters(metrics)),
      new_events_(metrics.Counter("tocsin_audit_new_events_total",
                                  "Alert events that were not stored before")),
      unparsed_(metrics.Counter("tocsin_audit_unparsed_total",
                                "Records that could not be parsed and were set aside")),
      batch_seconds_(metrics.Histogram("tocsin_audit_batch_seconds",
                                       "Duration of projecting one batch", kBatchSeconds)),
      batch_times_(BatchTimes(metrics, writers)),
      alerts_(GaugesBy(
          metrics, "tocsin_alerts",
          "Alerts accepted in the last day, by state; counted by one replica, 0 in the others",
          "state", AlertStateNames())),
      dead_letters_(GaugesBy(metrics, "tocsin_dead_letters_open", "Open dead letters", "channel",
                             ChannelNames())),
      oldest_dead_letter_(metrics.Gauge("tocsin_dead_letters_oldest_timestamp_seconds",
                                        "When the oldest open dead letter was given up; 0 for "
                                        "none")),
      overdue_(metrics.Gauge("tocsin_alerts_overdue",
                             "Alerts that are not final an hour after their expire time")),
      mismatches_(
          metrics.Gauge("tocsin_alert_count_mismatch",
                        "Alerts of the last day whose rows contradict each other; counted by "
                        "one replica; expected 0")),
      in_doubt_(metrics.Gauge("tocsin_attempts_in_doubt", "Attempts in doubt")),
      oldest_in_doubt_(metrics.Gauge("tocsin_attempts_in_doubt_oldest_timestamp_seconds",
                                     "Since when the oldest attempt in doubt has been in doubt; 0 "
                                     "for none")),
      requests_(metrics, kServices, kResponseSeconds) {}

void AuditMetrics::OnApplied(const AppliedBatch& batch) {
  for (const auto& [kind, count] : batch.records)
    records_.at(kind)->Increment(static_cast<double>(count));
  new_events_.Increment(static_cast<double>(batch.new_events));
  for (const records::v1::Position& at : batch.unparsed) {
    unparsed_.Increment();
    telemetry::Log(telemetry::Severity::kWarn, "record.unparsed",
                   "the record could not be parsed and was set aside",
                   {{"topic", at.topic()}, {"partition", at.partition()}, {"offset", at.offset()}});
  }
}

Status AuditMetrics::Measure(size_t writer, std::span<const IncomingRecord> records,
                             const std::function<Status(std::span<const IncomingRecord>)>& apply) {
  const auto start = std::chrono::steady_clock::now();
  WallTime oldest = WallTime::max();
  for (const IncomingRecord& record : records) oldest = std::min(oldest, record.append_time);
  if (!records.empty()) batch_times_.at(writer)->Set(SecondsOf(oldest));
  Status applied = apply(records);
  batch_seconds_.Observe(std::chrono::steady_clock::now() - start);
  return applied;
}

void AuditMetrics::OnCounts(const AlertCounts& counts) {
  if (counts.overdue) overdue_.Set(static_cast<double>(*counts.overdue));
  if (counts.dead_letters) {
    SetAll(counts.dead_letters->by_channel, dead_letters_);
    oldest_dead_letter_.Set(SecondsOf(counts.dead_letters->oldest));
  }
  if (counts.in_doubt) {
    in_doubt_.Set(static_cast<double>(counts.in_doubt->attempts));
    oldest_in_doubt_.Set(SecondsOf(counts.in_doubt->oldest));
  }
  if (counts.states) {
    SetAll(counts.states->alerts, alerts_);
    mismatches_.Set(static_cast<double>(counts.states->mismatches));
  }
}

void AuditMetrics::OnRequest(std::string_view method, std::optional<ErrorCode> error,
                             Micros duration) {
  requests_.Count(method, error);
  requests_.Observe(method, std::chrono::nanoseconds(duration));
}

struct Gauges::Lifetime {
  std::mutex mutex;
  bool over = false;
};

Gauges::Gauges(telemetry::Metrics& metrics, const Parts& parts)
    : lifetime_(std::make_shared<Lifetime>()) {
  metrics.OnCollect([lifetime = lifetime_, &metrics, parts] {
    const std::lock_guard lock(lifetime->mutex);
    if (lifetime->over) return;
    SetLag(metrics, parts);
    SetRequests(metrics, parts);
  });
}

Gauges::~Gauges() {
  const std::lock_guard lock(lifetime_->mutex);
  lifetime_->over = true;
}

}  // namespace tocsin::audit
