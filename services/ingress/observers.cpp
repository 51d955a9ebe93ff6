#include "services/ingress/observers.h"

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "common/base/error.h"
#include "common/telemetry/log.h"
#include "common/telemetry/readiness.h"

namespace tocsin::ingress {
namespace {

using telemetry::Log;
using telemetry::Severity;

constexpr std::array kMethods{"Enqueue", "EnqueueBatch", "EnqueueStream", "Cancel", "Acknowledge"};
constexpr std::array<std::pair<v1::WebhookKind, const char*>, 6> kKinds{{
    {v1::WEBHOOK_KIND_UNSPECIFIED, "unknown"},
    {v1::WEBHOOK_KIND_SMS_STATUS, "sms_status"},
    {v1::WEBHOOK_KIND_SMS_INBOUND, "sms_inbound"},
    {v1::WEBHOOK_KIND_VOICE_STATUS, "voice_status"},
    {v1::WEBHOOK_KIND_VOICE_GATHER, "voice_gather"},
    {v1::WEBHOOK_KIND_VOICE_TWIML, "voice_twiml"},
}};

constexpr std::array<const char*, 4> kCodes{"2xx", "3xx", "4xx", "5xx"};
constexpr size_t kFirstCode = 2;  // hundreds of kCodes[0]

void Tell(telemetry::SpanExporter& spans, const PublishedWebhook& webhook) {
  Log(Severity::kDebug, webhook.persisted ? "webhook.published" : "webhook.unavailable",
      webhook.persisted ? "a webhook is on disk" : "a webhook could not be brought to disk",
      {{"alert_id", webhook.alert_id},
       {"trace_id", webhook.trace.trace_id()},
       {"span_id", webhook.trace.span_id()}});
  if (!spans.on()) return;
  spans.Record({.trace = webhook.trace,
                .name = "webhook",
                .kind = telemetry::SpanKind::kServer,
                .end = telemetry::Readiness::SystemNow(),
                .took = webhook.took,
                .failed = !webhook.persisted,
                .attributes = {{"tocsin.alert_id", webhook.alert_id}}});
}

// Once for each kind while the process lives: what is switched off is asked for again and again.
void TellClosed(v1::WebhookKind kind) {
  static std::array<std::atomic<bool>, v1::WebhookKind_ARRAYSIZE> told;
  if (told.at(static_cast<size_t>(kind)).exchange(true)) return;
  Log(Severity::kWarn, "webhook.closed",
      "Twilio's requests of this kind are refused with 403: the channel is switched off, "
      "or no account has credentials",
      {{"kind", v1::WebhookKind_Name(kind)}});
}

}  // namespace

AlertServiceObserver ObserveAlerts(telemetry::Metrics& metrics, telemetry::SpanExporter& spans) {
  // All known reasons are made at once: a series is 0 before its first event.
  std::map<std::pair<std::string_view, std::string_view>, telemetry::Counter*> counters;
  std::map<std::string_view, telemetry::Histogram*> times;
  for (const char* method : kMethods) {
    std::vector<std::string_view> reasons{"OK"};
    for (int i = 0; i <= static_cast<int>(ErrorCode::kInternal); ++i)
      reasons.push_back(TraitsOf(static_cast<ErrorCode>(i)).name);
    for (const std::string_view reason : reasons)
      counters[{method, reason}] =
          &metrics.Counter("tocsin_enqueue_answers_total", "Alerts and calls answered",
                           {{"method", method}, {"reason", std::string(reason)}});
    times[method] = &metrics.Histogram("tocsin_enqueue_seconds",
                                       "From a call, or a frame of a stream, to its answer",
                                       telemetry::kRequestSeconds, {{"method", method}});
  }
  return {.answered =
              [counters = std::move(counters)](std::string_view method, std::string_view reason) {
                if (const auto it = counters.find({method, reason}); it != counters.end())
                  it->second->Increment();
              },
          .finished =
              [times = std::move(times), &spans](const AnsweredCall& call) {
                times.at(call.method)->Observe(std::chrono::nanoseconds(call.took));
                Log(Severity::kDebug, "call.answered", call.reason,
                    {{"method", call.method},
                     {"alert_id", call.alert_id},
                     {"trace_id", call.trace.trace_id()},
                     {"span_id", call.trace.span_id()}});
                if (!spans.on()) return;
                spans.Record({.trace = call.trace,
                              .name = "AlertService/" + std::string(call.method),
                              .kind = telemetry::SpanKind::kServer,
                              .end = telemetry::Readiness::SystemNow(),
                              .took = call.took,
                              .failed = call.reason != "OK",
                              .attributes = {{"rpc.method", std::string(call.method)},
                                             {"tocsin.reason", std::string(call.reason)},
                                             {"tocsin.alert_id", call.alert_id}}});
              }};
}

WebhookObserver ObserveWebhooks(telemetry::Metrics& metrics, telemetry::SpanExporter& spans) {
  std::map<std::pair<Verdict, v1::WebhookKind>, telemetry::Counter*> counters;
  for (int i = 0; i < kVerdicts; ++i)
    for (const auto& [kind, name] : kKinds) {
      const auto verdict = static_cast<Verdict>(i);
      counters[{verdict, kind}] =
          &metrics.Counter("tocsin_webhooks_total", "Requests on Twilio's routes",
                           {{"verdict", std::string(NameOf(verdict))}, {"kind", name}});
    }
  telemetry::Counter& secondary =
      metrics.Counter("tocsin_webhooks_signed_by_secondary_total",
                      "Webhooks whose signature the secondary token made");
  telemetry::Histogram& delivery = metrics.Histogram(
      "tocsin_sms_delivery_seconds", "From a POST to the callback that says delivered",
      telemetry::kDeliverySeconds);
  return {
      .answered =
          [counters = std::move(counters), &secondary](Verdict verdict, v1::WebhookKind kind,
                                                       std::string_view signed_by) {
            if (verdict == Verdict::kClosed) TellClosed(kind);
            if (const auto it = counters.find({verdict, kind}); it != counters.end())
              it->second->Increment();
            if (signed_by == "secondary") secondary.Increment();
          },
      .delivered = [&delivery](Micros after) { delivery.Observe(std::chrono::nanoseconds(after)); },
      .published = [&spans](const PublishedWebhook& webhook) { Tell(spans, webhook); }};
}

http::Handler Measured(telemetry::Metrics& metrics, http::Handler handler) {
  std::array<telemetry::Histogram*, kCodes.size()> seconds{};
  for (size_t i = 0; i < kCodes.size(); ++i)
    seconds[i] = &metrics.Histogram("tocsin_webhook_seconds",
                                    "From a request on Twilio's port to its answer",
                                    telemetry::kWebhookSeconds, {{"code", kCodes[i]}});
  return [seconds, handler = std::move(handler)](http::Request request, http::Responder responder) {
    handler(std::move(request),
            http::Responder([seconds, began = std::chrono::steady_clock::now(),
                             inner = std::make_shared<http::Responder>(std::move(responder))](
                                http::Response response) {
              const size_t code = static_cast<size_t>(response.status) / 100;
              inner->Send(std::move(response));
              if (code >= kFirstCode && code < kFirstCode + seconds.size())
                seconds[code - kFirstCode]->Observe(std::chrono::steady_clock::now() - began);
            }));
  };
}

void ExportGauges(telemetry::Metrics& metrics, GaugedParts parts) {
  metrics.BeforeText([&metrics, parts] {
    metrics.Gauge("tocsin_enqueue_in_flight", "Alerts between call and answer")
        .Set(static_cast<double>(parts.acceptance.InFlight()));
    metrics.Gauge("tocsin_enqueue_in_flight_limit", "Beyond it alerts are refused as OVERLOADED")
        .Set(static_cast<double>(parts.max_in_flight));
    metrics.Gauge("tocsin_admissions_waiting", "Alerts that wait for Redis")
        .Set(static_cast<double>(parts.admissions.Waiting()));
    metrics.Gauge("tocsin_publishes_open", "Records without a delivery report")
        .Set(static_cast<double>(parts.producer.Open()));
    const http::Counts counts = parts.http.counts();
    metrics.Gauge("tocsin_http_connections", "Connections of webhook senders")
        .Set(static_cast<double>(counts.connections));
    metrics.Gauge("tocsin_http_in_flight", "Webhooks between request and answer")
        .Set(static_cast<double>(counts.in_flight));
    for (size_t i = 0; i < http::kRejections; ++i)
      metrics
          .Counter("tocsin_http_rejections_total", "Requests and clients turned away by the server",
                   {{"reason", std::string(http::NameOf(static_cast<http::Rejection>(i)))}})
          .RaiseTo(static_cast<double>(counts.rejected[i]));
  });
}

}  // namespace tocsin::ingress
