#include "services/ingress/observers.h"

#include <array>
#include <map>
#include <string>
#include <utility>

#include "common/base/error.h"

namespace tocsin::ingress {
namespace {

constexpr std::array<const char*, 3> kMethods{"Enqueue", "EnqueueBatch", "EnqueueStream"};
constexpr std::array<std::pair<v1::WebhookKind, const char*>, 4> kKinds{{
    {v1::WEBHOOK_KIND_UNSPECIFIED, "unknown"},
    {v1::WEBHOOK_KIND_SMS_STATUS, "sms_status"},
    {v1::WEBHOOK_KIND_SMS_INBOUND, "sms_inbound"},
    {v1::WEBHOOK_KIND_VOICE_STATUS, "voice_status"},
}};

}  // namespace

AlertServiceObserver ObserveAlerts(telemetry::Metrics& metrics) {
  // All known reasons are made at once: a series is 0 before its first event.
  std::map<std::pair<std::string_view, std::string_view>, telemetry::Counter*> counters;
  for (const char* method : kMethods) {
    std::vector<std::string_view> reasons{"OK"};
    for (int i = 0; i <= static_cast<int>(ErrorCode::kInternal); ++i)
      reasons.push_back(TraitsOf(static_cast<ErrorCode>(i)).name);
    for (const std::string_view reason : reasons)
      counters[{method, reason}] =
          &metrics.Counter("tocsin_enqueue_answers_total", "Alerts and calls answered",
                           {{"method", method}, {"reason", std::string(reason)}});
  }
  return {.answered = [counters = std::move(counters)](std::string_view method,
                                                       std::string_view reason) {
    if (const auto it = counters.find({method, reason}); it != counters.end())
      it->second->Increment();
  }};
}

WebhookObserver ObserveWebhooks(telemetry::Metrics& metrics) {
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
  return {.answered = [counters = std::move(counters), &secondary](
                          Verdict verdict, v1::WebhookKind kind, std::string_view signed_by) {
    if (const auto it = counters.find({verdict, kind}); it != counters.end())
      it->second->Increment();
    if (signed_by == "secondary") secondary.Increment();
  }};
}

void ExportGauges(telemetry::Metrics& metrics, const Acceptance& acceptance,
                  const redis::AdmissionQueue& admissions, const kafka::Producer& producer,
                  const http::Server& http) {
  metrics.BeforeText([&] {
    metrics.Gauge("tocsin_enqueue_in_flight", "Alerts between call and answer")
        .Set(static_cast<double>(acceptance.InFlight()));
    metrics.Gauge("tocsin_admissions_waiting", "Alerts that wait for Redis")
        .Set(static_cast<double>(admissions.Waiting()));
    metrics.Gauge("tocsin_publishes_open", "Records without a delivery report")
        .Set(static_cast<double>(producer.Open()));
    const http::Counts counts = http.counts();
    metrics.Gauge("tocsin_http_connections", "Connections of webhook senders")
        .Set(static_cast<double>(counts.connections));
    metrics.Gauge("tocsin_http_in_flight", "Webhooks between request and answer")
        .Set(static_cast<double>(counts.in_flight));
    for (size_t i = 0; i < http::kRejections; ++i)
      metrics
          .Gauge("tocsin_http_rejected_requests", "Requests turned away by the server, since start",
                 {{"reason", std::string(http::NameOf(static_cast<http::Rejection>(i)))}})
          .Set(static_cast<double>(counts.rejected[i]));
  });
}

}  // namespace tocsin::ingress
