#include "common/telemetry/spans.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <nlohmann/json.hpp>

#include "common/http/server.h"

namespace tocsin::telemetry {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

const WallTime kEnd = FromUnixMicros(1'700'000'000'000'250);

Span ASpan(const TraceContext& trace = TraceContext::New()) {
  return {.trace = trace,
          .name = "POST sms",
          .kind = SpanKind::kClient,
          .end = kEnd,
          .duration = Micros(250),
          .failed = true,
          .attributes = {{"tocsin.outcome", "refused"}}};
}

double SpanCount(Metrics& metrics, const char* result) {
  return metrics.Counter("tocsin_spans_total", "Spans ended", {{"result", result}}).Value();
}

TEST(OtlpJsonTest, WritesASpanAsOtlpJson) {  // O3
  const TraceContext parent = TraceContext::New(), trace = parent.Child();
  const json body =
      json::parse(OtlpJson({.service = "tocsin-test", .instance = "t-1"}, {ASpan(trace)}));
  const json& resource = body["resourceSpans"][0];
  EXPECT_EQ(resource["resource"]["attributes"][0]["value"]["stringValue"], "tocsin-test");
  const json& span = resource["scopeSpans"][0]["spans"][0];
  EXPECT_EQ(span["traceId"], parent.trace_id());
  EXPECT_EQ(span["spanId"], trace.span_id());
  EXPECT_EQ(span["parentSpanId"], parent.span_id());
  EXPECT_EQ(span["kind"], 3);
  EXPECT_EQ(span["startTimeUnixNano"], "1700000000000000000");
  EXPECT_EQ(span["endTimeUnixNano"], "1700000000000250000");
  EXPECT_EQ(span["status"]["code"], 2);
}

TEST(OtlpJsonTest, MasksPhoneNumbersInAttributes) {  // P3
  Span span = ASpan();
  span.attributes = {{"note", "to +15145550123"}};
  EXPECT_THAT(OtlpJson({}, {span}), Not(HasSubstr("5550123")));
}

// A collector that responds with `status`.
struct Collector {
  std::atomic<int> posts{0};
  int status = 200;
  std::unique_ptr<http::Server> server =
      *http::Server::Start({}, [this](const http::Request&, http::Responder responder) {
        ++posts;
        responder.Send({.status = status});
      });
  std::string Url() const {
    return "http://127.0.0.1:" + std::to_string(server->port()) + "/v1/traces";
  }
};

TEST(SpanExporterTest, SendsQueuedSpansOnDestruction) {
  Collector collector;
  Metrics metrics("tocsin-test");
  {
    SpanExporter exporter({.endpoint = collector.Url()}, metrics);
    exporter.Record(ASpan());
    exporter.Record(ASpan());
  }
  EXPECT_EQ(collector.posts, 1);
  EXPECT_EQ(SpanCount(metrics, "exported"), 2);
}

TEST(SpanExporterTest, CountsSpansThatTheCollectorRefused) {
  Collector collector;
  collector.status = 503;
  Metrics metrics("tocsin-test");
  { SpanExporter({.endpoint = collector.Url()}, metrics).Record(ASpan()); }
  { SpanExporter({.endpoint = "http://127.0.0.1:1/v1/traces"}, metrics).Record(ASpan()); }
  EXPECT_EQ(SpanCount(metrics, "dropped"), 2);
  EXPECT_EQ(SpanCount(metrics, "exported"), 0);
}

TEST(SpanExporterTest, DropsSpansWhenTheQueueIsFull) {
  Collector collector;
  Metrics metrics("tocsin-test");
  constexpr int kMany = static_cast<int>(kSpanQueue) * 3;
  {
    SpanExporter exporter({.endpoint = collector.Url()}, metrics);
    for (int i = 0; i < kMany; ++i) exporter.Record(ASpan());
  }
  EXPECT_EQ(SpanCount(metrics, "dropped") + SpanCount(metrics, "exported"), kMany);
}

TEST(SpanExporterTest, IgnoresSpansWithoutAnEndpointOrOfAnUnsampledTrace) {
  Collector collector;
  Metrics metrics("tocsin-test");
  SpanExporter off({}, metrics);
  off.Record(ASpan());
  EXPECT_FALSE(off.enabled());
  {
    SpanExporter exporter({.endpoint = collector.Url()}, metrics);
    exporter.Record(
        ASpan(*TraceContext::Parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")));
  }
  EXPECT_EQ(collector.posts, 0);
  EXPECT_EQ(SpanCount(metrics, "dropped"), 0);
}

}  // namespace
}  // namespace tocsin::telemetry
