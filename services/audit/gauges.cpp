#include "services/audit/gauges.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/error.h"
#include "common/telemetry/log.h"

namespace tocsin::audit {
namespace {

const telemetry::Buckets kBatchSeconds{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10};

constexpr const char* kBatchTime = "tocsin_audit_batch_timestamp_seconds";
constexpr const char* kBatchTimeHelp =
    "Append time of the oldest record of the batch under way, or of the last one";
constexpr std::array<std::string_view, 6> kMethods{"GetAlert",          "ListAlerts",
                                                   "WatchAlert",        "ListDeadLetters",
                                                   "RedriveDeadLetter", "DropDeadLetter"};
constexpr std::string_view kStreamed = "WatchAlert";  // it lasts as long as its caller likes

// An answer from a few rows, a page of a thousand, a record that is waited for (30 s at most).
const telemetry::Buckets kAnswerSeconds{.001, .0025, .005, .01, .025, .05, .1,
                                        .25,  .5,    1,    2.5, 5,    10,  30};

std::int64_t LagOf(const kafka::FoldGauge& gauge) {
  if (gauge.log.high < 0) return 0;
  return std::max<std::int64_t>(gauge.log.high - std::max(gauge.next, gauge.log.low), 0);
}

void Show(const std::map<std::string, std::int64_t>& counts,
          const std::map<std::string, telemetry::Gauge*>& gauges) {
  for (const auto& [name, gauge] : gauges) {
    const auto known = counts.find(name);
    gauge->Set(known == counts.end() ? 0 : static_cast<double>(known->second));
  }
}

double SecondsOf(const std::optional<WallTime>& time) {
  return time ? static_cast<double>(ToUnixMicros(*time)) / 1e6 : 0;
}

}  // namespace

std::function<void(const Folded&)> CountFolded(telemetry::Metrics& metrics) {
  std::map<TopicKind, telemetry::Counter*> records;
  for (size_t kind = 0; kind < kTopicKinds.size(); ++kind)
    records[static_cast<TopicKind>(kind)] =
        &metrics.Counter("tocsin_audit_records_total", "Records folded",
                         {{"topic_kind", std::string(kTopicKinds[kind])}});
  telemetry::Counter& facts =
      metrics.Counter("tocsin_audit_new_facts_total", "Facts that were not known before");
  telemetry::Counter& unparsed = metrics.Counter(
      "tocsin_audit_unparsed_total", "Records that could not be read and were set aside");
  return [records = std::move(records), &facts, &unparsed](const Folded& folded) {
    for (const auto& [kind, count] : folded.records)
      records.at(kind)->Increment(static_cast<double>(count));
    facts.Increment(static_cast<double>(folded.new_facts));
    for (const v1::Position& at : folded.unparsed) {
      unparsed.Increment();
      telemetry::Log(
          telemetry::Severity::kWarn, "record.unparsed",
          "a record could not be read and was set aside",
          {{"topic", at.topic()}, {"partition", at.partition()}, {"offset", at.offset()}});
    }
  };
}

std::function<Status(std::span<const IncomingRecord>)> Measured(
    telemetry::Metrics& metrics, std::function<Status(std::span<const IncomingRecord>)> fold,
    std::function<void(const Error&)> failed) {
  telemetry::Histogram& seconds =
      metrics.Histogram("tocsin_audit_batch_seconds", "Folding one batch", kBatchSeconds);
  telemetry::Gauge& batch_time = metrics.Gauge(kBatchTime, kBatchTimeHelp);
  return [&seconds, &batch_time, fold = std::move(fold),
          failed = std::move(failed)](std::span<const IncomingRecord> records) {
    const auto began = std::chrono::steady_clock::now();
    WallTime oldest = WallTime::max();
    for (const IncomingRecord& record : records) oldest = std::min(oldest, record.append_time);
    if (!records.empty()) batch_time.Set(static_cast<double>(ToUnixMicros(oldest)) / 1e6);
    Status folded = fold(records);
    seconds.Observe(std::chrono::steady_clock::now() - began);
    if (!folded) failed(folded.error());
    return folded;
  };
}

std::function<void(const LedgerCount&)> ShowLedger(telemetry::Metrics& metrics) {
  std::map<std::string, telemetry::Gauge*> states;
  for (const std::string& state : LedgerStates())
    states[state] = &metrics.Gauge("tocsin_ledger_alerts",
                                   "Alerts accepted in the last day, by what became of them",
                                   {{"state", state}});
  telemetry::Gauge& overdue = metrics.Gauge(
      "tocsin_ledger_overdue", "Alerts past their deadline and its grace without an end");
  telemetry::Gauge& difference = metrics.Gauge("tocsin_ledger_difference",
                                               "Alerts of the last day for which accepted and the "
                                               "sum of the states do not agree; 0 is well");
  std::map<std::string, telemetry::Gauge*> dead;
  for (const std::string& channel : LedgerChannels())
    dead[channel] = &metrics.Gauge("tocsin_dead_letters_open", "Dead letters that nobody closed",
                                   {{"channel", channel}});
  telemetry::Gauge& oldest_dead =
      metrics.Gauge("tocsin_dead_letters_oldest_timestamp_seconds",
                    "When the oldest open dead letter was given up; 0 for none");
  telemetry::Gauge& in_doubt = metrics.Gauge("tocsin_ledger_in_doubt", "Tries in doubt");
  telemetry::Gauge& oldest_doubt =
      metrics.Gauge("tocsin_ledger_in_doubt_oldest_timestamp_seconds",
                    "When the try began to be in doubt that is so longest; 0 for none");
  return
      [=, &overdue, &difference, &oldest_dead, &in_doubt, &oldest_doubt](const LedgerCount& count) {
        Show(count.alerts, states);
        Show(count.dead, dead);
        overdue.Set(static_cast<double>(count.overdue));
        difference.Set(static_cast<double>(count.difference));
        oldest_dead.Set(SecondsOf(count.oldest_dead));
        in_doubt.Set(static_cast<double>(count.in_doubt));
        oldest_doubt.Set(SecondsOf(count.oldest_doubt));
      };
}

Answered CountAnswers(telemetry::Metrics& metrics) {
  // All known reasons are made at once: a series is 0 before its first event.
  std::vector<std::string_view> reasons{"OK"};
  for (int i = 0; i <= static_cast<int>(ErrorCode::kInternal); ++i)
    reasons.push_back(TraitsOf(static_cast<ErrorCode>(i)).name);
  std::map<std::pair<std::string_view, std::string_view>, telemetry::Counter*> counters;
  std::map<std::string_view, telemetry::Histogram*> times;
  for (const std::string_view method : kMethods) {
    for (const std::string_view reason : reasons)
      counters[{method, reason}] =
          &metrics.Counter("tocsin_audit_answers_total", "Calls answered",
                           {{"method", std::string(method)}, {"reason", std::string(reason)}});
    if (method != kStreamed)
      times[method] = &metrics.Histogram("tocsin_audit_answer_seconds",
                                         "From a call to its answer, waits it asked for included",
                                         kAnswerSeconds, {{"method", std::string(method)}});
  }
  return [counters = std::move(counters), times = std::move(times)](
             std::string_view method, std::string_view reason, Micros took) {
    if (const auto found = counters.find({method, reason}); found != counters.end())
      found->second->Increment();
    if (const auto found = times.find(method); found != times.end())
      found->second->Observe(std::chrono::nanoseconds(took));
  };
}

struct Gauges::Life {
  std::mutex mutex;
  bool over = false;
};

Gauges::Gauges(telemetry::Metrics& metrics, const FoldedTopics& topics,
               const kafka::FoldConsumer& consumer, const PositionBoard& board,
               const postgres::ReaderPool& readers, size_t most_reads, const AlertWatch& watch)
    : life_(std::make_shared<Life>()) {
  metrics.BeforeText([life = life_, &metrics, &topics, &consumer, &board, &readers, most_reads,
                      &watch] {
    const std::lock_guard lock(life->mutex);
    if (life->over) return;
    std::array<std::int64_t, kTopicKinds.size()> lag{};
    for (const kafka::FoldGauge& gauge : consumer.Gauges())
      if (const auto kind = topics.KindOf(gauge.topic))
        lag[static_cast<size_t>(*kind)] += LagOf(gauge);
    for (size_t kind = 0; kind < lag.size(); ++kind)
      metrics
          .Gauge("tocsin_audit_fold_lag", "Records in the logs of our partitions and not folded",
                 {{"topic_kind", std::string(kTopicKinds[kind])}})
          .Set(static_cast<double>(lag[kind]));
    const std::int64_t unfinished = std::accumulate(lag.begin(), lag.end(), std::int64_t{0});
    const telemetry::Labels group{{"group", "audit"}};
    metrics
        .Gauge("tocsin_consumer_lag_records", "Records not finished, to the end of the log", group)
        .Set(static_cast<double>(unfinished));
    metrics
        .Gauge("tocsin_consumer_oldest_unfinished_timestamp_seconds",
               "Append time of the oldest record read and not finished; 0 for none", group)
        .Set(unfinished == 0 ? 0 : metrics.Gauge(kBatchTime, kBatchTimeHelp).Value());
    metrics.Gauge("tocsin_audit_waiting_calls", "Calls that wait for a position to be folded")
        .Set(static_cast<double>(board.waiting()));
    metrics.Gauge("tocsin_audit_watchers", "Streams of WatchAlert that are open")
        .Set(static_cast<double>(watch.watching()));
    metrics.Gauge("tocsin_audit_waiting_reads", "Calls that wait for a reader")
        .Set(static_cast<double>(readers.waiting()));
    metrics.Gauge("tocsin_audit_waiting_reads_limit", "Beyond it calls are refused as OVERLOADED")
        .Set(static_cast<double>(most_reads));
  });
}

Gauges::~Gauges() {
  const std::lock_guard lock(life_->mutex);
  life_->over = true;
}

}  // namespace tocsin::audit
