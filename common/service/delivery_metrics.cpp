#include "common/service/delivery_metrics.h"

#include <array>
#include <map>
#include <string>
#include <utility>

#include "common/telemetry/log.h"
#include "common/telemetry/readiness.h"
#include "common/twilio/error_codes.h"

namespace tocsin::service {
namespace {

constexpr std::array<std::pair<records::v1::AttemptOutcome, const char*>, 5> kOutcomes{{
    {records::v1::ATTEMPT_OUTCOME_ACCEPTED, "accepted"},
    {records::v1::ATTEMPT_OUTCOME_REFUSED, "refused"},
    {records::v1::ATTEMPT_OUTCOME_RATE_LIMITED, "rate_limited"},
    {records::v1::ATTEMPT_OUTCOME_NOT_SENT, "not_sent"},
    {records::v1::ATTEMPT_OUTCOME_IN_DOUBT, "in_doubt"},
}};
constexpr std::array<std::pair<v1::Priority, const char*>, 4> kPriorities{{
    {v1::PRIORITY_EMERGENCY, "emergency"},
    {v1::PRIORITY_HIGH, "high"},
    {v1::PRIORITY_NORMAL, "normal"},
    {v1::PRIORITY_BULK, "bulk"},
}};

std::string NameOf(v1::Channel channel) { return channel == v1::CHANNEL_VOICE ? "voice" : "sms"; }

void Report(telemetry::SpanExporter& spans, const std::string& channel, const char* outcome,
            const twilio::PostReport& exchange) {
  const bool in_doubt = exchange.outcome == records::v1::ATTEMPT_OUTCOME_IN_DOUBT;
  telemetry::Log(in_doubt ? telemetry::Severity::kWarn : telemetry::Severity::kDebug, "twilio.post",
                 outcome,
                 {{"channel", channel},
                  {"http_status", exchange.http_status},
                  {"provider_code", exchange.provider_code},
                  {"request_id", exchange.request_id},
                  {"trace_id", exchange.trace.trace_id()},
                  {"span_id", exchange.trace.span_id()}});
  if (!spans.enabled()) return;
  spans.Record({.trace = exchange.trace,
                .name = "POST " + channel,
                .kind = telemetry::SpanKind::kClient,
                .end = telemetry::Readiness::SystemNow(),
                .duration = exchange.duration,
                .failed = exchange.outcome != records::v1::ATTEMPT_OUTCOME_ACCEPTED,
                .attributes = {{"tocsin.outcome", outcome},
                               {"http.response.status_code", std::to_string(exchange.http_status)},
                               {"twilio.error_code", std::to_string(exchange.provider_code)}}});
}

}  // namespace

std::function<void(const twilio::PostReport&)> ObservePosts(telemetry::Metrics& metrics,
                                                            telemetry::SpanExporter& spans,
                                                            v1::Channel channel) {
  const std::string name = NameOf(channel);
  std::map<records::v1::AttemptOutcome, std::pair<const char*, telemetry::Counter*>> outcomes;
  for (const auto& [outcome, label] : kOutcomes)
    outcomes[outcome] = {label, &metrics.Counter("tocsin_twilio_posts_total", "POSTs to Twilio",
                                                 {{"channel", name}, {"outcome", label}})};
  std::map<records::v1::ProviderErrorClass, telemetry::Counter*> errors;
  for (int i = records::v1::PROVIDER_ERROR_CLASS_UNSPECIFIED + 1;
       i <= records::v1::ProviderErrorClass_MAX; ++i) {
    const auto error_class = static_cast<records::v1::ProviderErrorClass>(i);
    errors[error_class] = &metrics.Counter(
        "tocsin_twilio_errors_total", "Twilio responses with an error code",
        {{"channel", name}, {"error_class", std::string(twilio::NameOf(error_class))}});
  }
  telemetry::Counter& opened = metrics.Counter("tocsin_twilio_connections_opened_total",
                                               "Connections to Twilio opened", {{"channel", name}});
  telemetry::Histogram& seconds =
      metrics.Histogram("tocsin_twilio_post_seconds", "Duration of a POST to Twilio",
                        telemetry::kPostSeconds, {{"channel", name}});
  return [name, outcomes = std::move(outcomes), errors = std::move(errors), &opened, &seconds,
          &spans](const twilio::PostReport& exchange) {
    seconds.Observe(std::chrono::nanoseconds(exchange.duration));
    if (exchange.new_connection) opened.Increment();
    if (exchange.provider_code != 0)
      errors.at(twilio::Describe(exchange.provider_code).error_class)->Increment();
    const auto found = outcomes.find(exchange.outcome);
    if (found == outcomes.end()) return;
    found->second.second->Increment();
    Report(spans, name, found->second.first, exchange);
  };
}

std::function<void(v1::Priority, Micros)> ObserveSubmitLatency(telemetry::Metrics& metrics,
                                                               v1::Channel channel) {
  const telemetry::Buckets& buckets =
      channel == v1::CHANNEL_VOICE ? telemetry::kCallStartSeconds : telemetry::kSmsAcceptSeconds;
  std::map<v1::Priority, telemetry::Histogram*> seconds;
  for (const auto& [priority, label] : kPriorities)
    seconds[priority] = &metrics.Histogram(
        "tocsin_submit_latency_seconds", "From acceptance or due time to acceptance by Twilio",
        buckets, {{"channel", NameOf(channel)}, {"priority", label}});
  return [seconds = std::move(seconds)](v1::Priority priority, Micros latency) {
    if (const auto found = seconds.find(priority); found != seconds.end())
      found->second->Observe(std::chrono::nanoseconds(latency));
  };
}

}  // namespace tocsin::service
