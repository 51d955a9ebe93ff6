// Exports spans to an OpenTelemetry collector by OTLP/HTTP with JSON
// (https://opentelemetry.io/docs/specs/otlp/#otlphttp).
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/base/time.h"
#include "common/base/trace.h"
#include "common/telemetry/metrics.h"

namespace tocsin::telemetry {

constexpr size_t kSpanQueue = 4096;  // queued spans; more are dropped and counted
constexpr size_t kSpanBatch = 512;   // spans per request
constexpr std::chrono::seconds kSpanInterval{1};
constexpr std::chrono::seconds kSpanPostTimeout{5};

// Numbers of OTLP's enum Span.SpanKind.
enum class SpanKind { kServer = 2, kClient = 3 };

// A span that has ended. Its attributes are free of PII.
struct Span {
  TraceContext trace;
  std::string name;
  SpanKind kind = SpanKind::kServer;
  WallTime end;
  Micros duration{};
  bool failed = false;
  std::vector<std::pair<std::string, std::string>> attributes = {};
};

struct SpanOptions {
  std::string endpoint = {};  // "http://collector:4318/v1/traces"; empty: nothing is exported
  std::string service = {};
  std::string instance = {};
};

// Sends spans in batches on its own thread. A batch that the collector refuses is dropped and
// counted (tocsin_spans_total), not retried. Without an endpoint it has no thread and does nothing.
class SpanExporter {
 public:
  // `metrics` outlives it.
  SpanExporter(SpanOptions options, Metrics& metrics);
  // Sends the queued spans. Blocks for at most twice kSpanPostTimeout.
  ~SpanExporter();
  SpanExporter(const SpanExporter&) = delete;
  SpanExporter& operator=(const SpanExporter&) = delete;

  bool enabled() const { return !options_.endpoint.empty(); }

  // Queues the span, unless its trace is not sampled. Does not block. Thread-safe.
  void Record(Span span);

 private:
  void Run(const std::stop_token& stop);
  void Post(const std::vector<Span>& spans);

  const SpanOptions options_;
  Counter& exported_;
  Counter& dropped_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<Span> queue_;
  std::jthread thread_;  // last: joined before the members it uses
};

// The request body: ExportTraceServiceRequest in OTLP's JSON encoding.
std::string OtlpJson(const SpanOptions& options, const std::vector<Span>& spans);

}  // namespace tocsin::telemetry
