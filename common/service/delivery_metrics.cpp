#include "common/service/delivery_metrics.h"

#include <array>
#include <map>
#include <string>
#include <utility>

#include "common/domain/twilio_errors.h"
#include "common/telemetry/log.h"
#include "common/telemetry/readiness.h"

namespace tocsin::service {
namespace {

constexpr std::array<std::pair<v1::ReceiptOutcome, const char*>, 5> kOutcomes{{
    {v1::RECEIPT_OUTCOME_ACCEPTED, "accepted"},
    {v1::RECEIPT_OUTCOME_REFUSED, "refused"},
    {v1::RECEIPT_OUTCOME_RATE_LIMITED, "rate_limited"},
    {v1::RECEIPT_OUTCOME_NOT_SENT, "not_sent"},
    {v1::RECEIPT_OUTCOME_IN_DOUBT, "in_doubt"},
}};
constexpr std::array<std::pair<v1::AlertClass, const char*>, 4> kClasses{{
    {v1::ALERT_CLASS_EMERGENCY, "emergency"},
    {v1::ALERT_CLASS_HIGH, "high"},
    {v1::ALERT_CLASS_NORMAL, "normal"},
    {v1::ALERT_CLASS_BULK, "bulk"},
}};

std::string NameOf(v1::Channel channel) { return channel == v1::CHANNEL_VOICE ? "voice" : "sms"; }

void Tell(telemetry::SpanExporter& spans, const std::string& channel, const char* outcome,
          const twilio::Exchange& exchange) {
  const bool doubtful = exchange.outcome == v1::RECEIPT_OUTCOME_IN_DOUBT;
  telemetry::Log(doubtful ? telemetry::Severity::kWarn : telemetry::Severity::kDebug, "twilio.post",
                 outcome,
                 {{"channel", channel},
                  {"http_status", exchange.http_status},
                  {"provider_code", exchange.provider_code},
                  {"request_id", exchange.request_id},
                  {"trace_id", exchange.trace.trace_id()},
                  {"span_id", exchange.trace.span_id()}});
  if (!spans.on()) return;
  spans.Record({.trace = exchange.trace,
                .name = "POST " + channel,
                .kind = telemetry::SpanKind::kClient,
                .end = telemetry::Readiness::SystemNow(),
                .took = exchange.duration,
                .failed = exchange.outcome != v1::RECEIPT_OUTCOME_ACCEPTED,
                .attributes = {{"tocsin.outcome", outcome},
                               {"http.response.status_code", std::to_string(exchange.http_status)},
                               {"twilio.error_code", std::to_string(exchange.provider_code)}}});
}

}  // namespace

std::function<void(const twilio::Exchange&)> ObservePosts(telemetry::Metrics& metrics,
                                                          telemetry::SpanExporter& spans,
                                                          v1::Channel channel) {
  const std::string name = NameOf(channel);
  std::map<v1::ReceiptOutcome, std::pair<const char*, telemetry::Counter*>> outcomes;
  for (const auto& [outcome, label] : kOutcomes)
    outcomes[outcome] = {label, &metrics.Counter("tocsin_twilio_posts_total", "POSTs to Twilio",
                                                 {{"channel", name}, {"outcome", label}})};
  std::map<TwilioErrorClass, telemetry::Counter*> refusals;
  for (int i = 0; i <= static_cast<int>(TwilioErrorClass::kUnknown); ++i) {
    const auto error_class = static_cast<TwilioErrorClass>(i);
    refusals[error_class] = &metrics.Counter(
        "tocsin_twilio_errors_total", "Answers of Twilio with an error code, by its class",
        {{"channel", name}, {"class", std::string(tocsin::NameOf(error_class))}});
  }
  telemetry::Counter& opened = metrics.Counter("tocsin_twilio_connections_opened_total",
                                               "Connections opened", {{"channel", name}});
  telemetry::Histogram& seconds = metrics.Histogram("tocsin_twilio_post_seconds", "One POST",
                                                    telemetry::kPostSeconds, {{"channel", name}});
  return [name, outcomes = std::move(outcomes), refusals = std::move(refusals), &opened, &seconds,
          &spans](const twilio::Exchange& exchange) {
    seconds.Observe(std::chrono::nanoseconds(exchange.duration));
    if (exchange.new_connection) opened.Increment();
    if (exchange.provider_code != 0)
      refusals.at(Describe(exchange.provider_code).error_class)->Increment();
    const auto found = outcomes.find(exchange.outcome);
    if (found == outcomes.end()) return;
    found->second.second->Increment();
    Tell(spans, name, found->second.first, exchange);
  };
}

std::function<void(v1::AlertClass, Micros)> ObserveHandovers(telemetry::Metrics& metrics,
                                                             v1::Channel channel) {
  const telemetry::Buckets& buckets =
      channel == v1::CHANNEL_VOICE ? telemetry::kCallStartSeconds : telemetry::kSmsAcceptSeconds;
  std::map<v1::AlertClass, telemetry::Histogram*> seconds;
  for (const auto& [alert_class, label] : kClasses)
    seconds[alert_class] = &metrics.Histogram(
        "tocsin_handover_seconds", "From acceptance, or the time it fell due, to Twilio's yes",
        buckets, {{"channel", NameOf(channel)}, {"class", label}});
  return [seconds = std::move(seconds)](v1::AlertClass alert_class, Micros waited) {
    if (const auto found = seconds.find(alert_class); found != seconds.end())
      found->second->Observe(std::chrono::nanoseconds(waited));
  };
}

}  // namespace tocsin::service
