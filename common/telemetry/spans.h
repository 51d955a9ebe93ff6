// Spans to an OpenTelemetry collector by OTLP/HTTP with JSON
// (https://opentelemetry.io/docs/specs/otlp/#otlphttp), when an endpoint is given.
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

constexpr size_t kSpanQueue = 4096;  // spans waiting; more are dropped and counted
constexpr size_t kSpanBatch = 512;   // spans of one request
constexpr std::chrono::seconds kSpanInterval{1};
constexpr std::chrono::seconds kSpanPostLimit{5};

// Numbers of OTLP's enum Span.SpanKind.
enum class SpanKind { kServer = 2, kClient = 3 };

// One step of a trace that has ended. Its attributes are free of PII.
struct Span {
  TraceContext trace;
  std::string name;
  SpanKind kind = SpanKind::kServer;
  WallTime end;
  Micros took{};
  bool failed = false;
  std::vector<std::pair<std::string, std::string>> attributes = {};
};

struct SpanOptions {
  std::string endpoint = {};  // "http://collector:4318/v1/traces"; empty: nothing is exported
  std::string service = {};
  std::string instance = {};
};

// A thread of its own sends batches; a batch that the collector does not take is dropped and
// counted (tocsin_spans_total), never repeated. Without an endpoint it does nothing and has no
// thread.
class SpanExporter {
 public:
  // `metrics` outlives it.
  SpanExporter(SpanOptions options, Metrics& metrics);
  // Sends what waits in one more request: blocks, kSpanPostLimit at most twice.
  ~SpanExporter();
  SpanExporter(const SpanExporter&) = delete;
  SpanExporter& operator=(const SpanExporter&) = delete;

  bool on() const { return !options_.endpoint.empty(); }

  // Takes the span unless its trace is not sampled; never blocks. Any thread.
  void Record(Span span);

 private:
  void Run(const std::stop_token& stop);
  void Post(const std::vector<Span>& spans);

  const SpanOptions options_;
  Counter& exported_;
  Counter& dropped_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<Span> waiting_;
  std::jthread thread_;  // last: ends before what it uses
};

// The request's body: ExportTraceServiceRequest as OTLP writes it in JSON.
std::string OtlpJson(const SpanOptions& options, const std::vector<Span>& spans);

}  // namespace tocsin::telemetry
