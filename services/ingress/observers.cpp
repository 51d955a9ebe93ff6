#include "services/ingress/observers.h"

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "common/rpc/request_metrics.h"
#include "common/telemetry/log.h"
#include "common/telemetry/readiness.h"

namespace tocsin::ingress {
namespace {

using telemetry::Log;
using telemetry::Severity;

const rpc::MeasuredService kAlertService{
    "AlertService",
    {{"Enqueue"}, {"EnqueueBatch"}, {"EnqueueStream"}, {"Cancel"}, {"Acknowledge"}, {"DryRun"}}};

constexpr std::array<std::pair<records::v1::WebhookKind, const char*>, 6> kKinds{{
    {records::v1::WEBHOOK_KIND_UNSPECIFIED, "unknown"},
    {records::v1::WEBHOOK_KIND_SMS_STATUS, "sms_status"},
    {records::v1::WEBHOOK_KIND_SMS_INBOUND, "sms_inbound"},
    {records::v1::WEBHOOK_KIND_VOICE_STATUS, "voice_status"},
    {records::v1::WEBHOOK_KIND_VOICE_GATHER, "voice_gather"},
    {records::v1::WEBHOOK_KIND_VOICE_TWIML, "voice_twiml"},
}};

constexpr std::array<const char*, 4> kCodes{"2xx", "3xx", "4xx", "5xx"};
constexpr size_t kFirstCode = 2;  // hundreds of kCodes[0]

std::string_view ReasonOf(std::optional<ErrorCode> error) {
  return error ? TraitsOf(*error).name : "OK";
}

void ReportRequest(telemetry::SpanExporter& spans, const FinishedRequest& request) {
  const std::string_view reason = ReasonOf(request.error);
  Log(Severity::kDebug, "request.completed", reason,
      {{"method", request.method},
       {"alert_id", request.alert_id},
       {"trace_id", request.trace.trace_id()},
       {"span_id", request.trace.span_id()}});
  if (!spans.enabled()) return;
  spans.Record({.trace = request.trace,
                .name = "AlertService/" + std::string(request.method),
                .kind = telemetry::SpanKind::kServer,
                .end = telemetry::Readiness::SystemNow(),
                .duration = request.duration,
                .failed = request.error.has_value(),
                .attributes = {{"rpc.method", std::string(request.method)},
                               {"tocsin.reason", std::string(reason)},
                               {"tocsin.alert_id", request.alert_id}}});
}

void ReportWebhook(telemetry::SpanExporter& spans, const PublishedWebhook& webhook) {
  Log(Severity::kDebug, webhook.persisted ? "webhook.published" : "webhook.unavailable",
      webhook.persisted ? "webhook published" : "webhook not published",
      {{"alert_id", webhook.alert_id},
       {"trace_id", webhook.trace.trace_id()},
       {"span_id", webhook.trace.span_id()}});
  if (!spans.enabled()) return;
  spans.Record({.trace = webhook.trace,
                .name = "webhook",
                .kind = telemetry::SpanKind::kServer,
                .end = telemetry::Readiness::SystemNow(),
                .duration = webhook.duration,
                .failed = !webhook.persisted,
                .attributes = {{"tocsin.alert_id", webhook.alert_id}}});
}

// Once per kind in the life of the process: Twilio repeats refused requests.
void ReportChannelDisabled(records::v1::WebhookKind kind) {
  static std::array<std::atomic<bool>, records::v1::WebhookKind_ARRAYSIZE> reported;
  if (reported.at(static_cast<size_t>(kind)).exchange(true)) return;
  Log(Severity::kWarn, "webhook.channel_disabled",
      "webhooks of this kind are refused with 403: the channel is disabled, or no account has "
      "credentials",
      {{"kind", records::v1::WebhookKind_Name(kind)}});
}

void ReportAcknowledgement(telemetry::SpanExporter& spans,
                           const FinishedAcknowledgement& finished) {
  const std::string_view result = NameOf(finished.result);
  Log(Severity::kDebug, "ack_link.completed", result,
      {{"alert_id", finished.alert_id},
       {"trace_id", finished.trace.trace_id()},
       {"span_id", finished.trace.span_id()}});
  if (!spans.enabled()) return;
  spans.Record({.trace = finished.trace,
                .name = "ack_link",
                .kind = telemetry::SpanKind::kServer,
                .end = telemetry::Readiness::SystemNow(),
                .duration = finished.duration,
                .failed = finished.result == AckLinkResult::kUnavailable,
                .attributes = {{"tocsin.reason", std::string(result)},
                               {"tocsin.alert_id", finished.alert_id}}});
}

// `handler` with the duration of each request by the class of its status.
http::Handler Measured(telemetry::Metrics& metrics, const std::string& name,
                       const std::string& help, http::Handler handler) {
  std::array<telemetry::Histogram*, kCodes.size()> seconds{};
  for (size_t i = 0; i < kCodes.size(); ++i)
    seconds[i] = &metrics.Histogram(name, help, telemetry::kWebhookSeconds, {{"code", kCodes[i]}});
  return [seconds, handler = std::move(handler)](http::Request request, http::Responder responder) {
    handler(std::move(request),
            http::Responder([seconds, start = std::chrono::steady_clock::now(),
                             inner = std::make_shared<http::Responder>(std::move(responder))](
                                http::Response response) {
              const size_t code = static_cast<size_t>(response.status) / 100;
              inner->Send(std::move(response));
              if (code >= kFirstCode && code < kFirstCode + seconds.size())
                seconds[code - kFirstCode]->Observe(std::chrono::steady_clock::now() - start);
            }));
  };
}

}  // namespace

AlertServiceObserver ObserveAlerts(telemetry::Metrics& metrics, telemetry::SpanExporter& spans) {
  const auto requests = std::make_shared<rpc::RequestMetrics>(metrics, std::vector{kAlertService},
                                                              telemetry::kRequestSeconds);
  return {.result = [requests](std::string_view method,
                               std::optional<ErrorCode> error) { requests->Count(method, error); },
          .finished =
              [requests, &spans](const FinishedRequest& request) {
                requests->Observe(request.method, request.duration);
                ReportRequest(spans, request);
              }};
}

AcceptanceRestorationObserver ObserveRestoration(service::Runtime& runtime) {
  telemetry::Gauge& complete = runtime.metrics().Gauge(
      "tocsin_acceptances_restored",
      "1 if Redis knows every idempotency key and alert; 0: requests with a key are refused");
  complete.Set(0);
  return {.restored =
              [](std::size_t count) {
                Log(Severity::kInfo, "acceptances.restored", "acceptances restored from the lanes",
                    {{"records", count}});
              },
          .failed = [&runtime](const Error& error) { runtime.ReportDependencyError(error); },
          .completeness = [&complete](bool known) { complete.Set(known ? 1 : 0); }};
}

WebhookObserver ObserveWebhooks(telemetry::Metrics& metrics, telemetry::SpanExporter& spans) {
  std::map<std::pair<WebhookResult, records::v1::WebhookKind>, telemetry::Counter*> counters;
  for (int i = 0; i < kWebhookResults; ++i)
    for (const auto& [kind, name] : kKinds) {
      const auto result = static_cast<WebhookResult>(i);
      counters[{result, kind}] =
          &metrics.Counter("tocsin_webhooks_total", "Requests from Twilio by result",
                           {{"result", std::string(NameOf(result))}, {"kind", name}});
    }
  telemetry::Counter& secondary = metrics.Counter("tocsin_webhooks_signed_by_secondary_total",
                                                  "Webhooks signed by the secondary auth token");
  std::array<telemetry::Counter*, kAckReplyResults> ack_replies{};
  for (size_t i = 0; i < ack_replies.size(); ++i)
    ack_replies[i] =
        &metrics.Counter("tocsin_ack_replies_total",
                         "Replies to text messages that acknowledge or decline, by result",
                         {{"result", std::string(NameOf(static_cast<AckReplyResult>(i)))}});
  telemetry::Histogram& delivery = metrics.Histogram(
      "tocsin_delivery_report_seconds",
      "From Twilio's acceptance of a message to its delivery report", telemetry::kDeliverySeconds);
  return {
      .result =
          [counters = std::move(counters), &secondary](WebhookResult result,
                                                       records::v1::WebhookKind kind,
                                                       records::v1::SigningToken signed_by) {
            if (result == WebhookResult::kChannelDisabled) ReportChannelDisabled(kind);
            if (const auto it = counters.find({result, kind}); it != counters.end())
              it->second->Increment();
            if (signed_by == records::v1::SIGNING_TOKEN_SECONDARY) secondary.Increment();
          },
      .delivered = [&delivery](Micros delay) { delivery.Observe(std::chrono::nanoseconds(delay)); },
      .ack_reply =
          [ack_replies](AckReplyResult result) {
            ack_replies.at(static_cast<size_t>(result))->Increment();
          },
      .published = [&spans](const PublishedWebhook& webhook) { ReportWebhook(spans, webhook); }};
}

AckLinkObserver ObserveAckLinks(telemetry::Metrics& metrics, telemetry::SpanExporter& spans) {
  std::array<telemetry::Counter*, kAckLinkResults> counters{};
  for (size_t i = 0; i < counters.size(); ++i)
    counters[i] = &metrics.Counter(
        "tocsin_ack_link_requests_total", "Requests for acknowledgement links by result",
        {{"result", std::string(NameOf(static_cast<AckLinkResult>(i)))}});
  return {.result =
              [counters](AckLinkResult result) {
                counters.at(static_cast<size_t>(result))->Increment();
              },
          .finished =
              [&spans](const FinishedAcknowledgement& finished) {
                ReportAcknowledgement(spans, finished);
              }};
}

http::Handler Routed(telemetry::Metrics& metrics, Webhooks& webhooks, AckHandler& ack_handler) {
  http::Handler webhook =
      Measured(metrics, "tocsin_webhook_seconds", "From a request of Twilio to its response",
               [&webhooks](const http::Request& request, http::Responder responder) {
                 webhooks.Handle(request, std::move(responder));
               });
  http::Handler ack_link =
      Measured(metrics, "tocsin_ack_link_seconds",
               "From a request for an acknowledgement link to its response",
               [&ack_handler](const http::Request& request, http::Responder responder) {
                 ack_handler.Handle(request, std::move(responder));
               });
  return [webhook = std::move(webhook), ack_link = std::move(ack_link)](http::Request request,
                                                                        http::Responder responder) {
    const http::Handler& handler = AckHandler::Serves(request.Path()) ? ack_link : webhook;
    handler(std::move(request), std::move(responder));
  };
}

void ExportGauges(telemetry::Metrics& metrics, GaugedParts parts) {
  metrics.OnCollect([&metrics, parts] {
    metrics.Gauge("tocsin_enqueue_in_flight", "Alerts between request and response")
        .Set(static_cast<double>(parts.acceptance.InFlight()));
    metrics
        .Gauge("tocsin_enqueue_in_flight_limit",
               "Maximum of tocsin_enqueue_in_flight for emergencies; lower for other priorities")
        .Set(static_cast<double>(parts.max_in_flight));
    metrics.Gauge("tocsin_admission_queue_depth", "Requests that wait for Redis")
        .Set(static_cast<double>(parts.admissions.Depth()));
    metrics.Gauge("tocsin_kafka_in_flight", "Records without a delivery report")
        .Set(static_cast<double>(parts.producer.InFlight()));
    const http::Counts counts = parts.http.counts();
    metrics.Gauge("tocsin_http_connections", "Open connections of the webhook server")
        .Set(static_cast<double>(counts.connections));
    metrics.Gauge("tocsin_http_in_flight", "Webhooks between request and response")
        .Set(static_cast<double>(counts.in_flight));
    for (size_t i = 0; i < http::kRejections; ++i)
      metrics
          .Counter("tocsin_http_rejections_total",
                   "Requests and connections rejected by the webhook server",
                   {{"reason", std::string(http::NameOf(static_cast<http::Rejection>(i)))}})
          .RaiseTo(static_cast<double>(counts.rejected[i]));
  });
}

}  // namespace tocsin::ingress
