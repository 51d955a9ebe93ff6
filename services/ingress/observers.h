// The ingress's metrics.
#pragma once

#include "common/http/server.h"
#include "common/kafka/producer.h"
#include "common/redis/admission_queue.h"
#include "common/telemetry/metrics.h"
#include "common/telemetry/spans.h"
#include "services/ingress/acceptance.h"
#include "services/ingress/alert_service.h"
#include "services/ingress/webhooks.h"

namespace tocsin::ingress {

// Counters and times of calls, a span for each, and a line of the log at level debug.
AlertServiceObserver ObserveAlerts(telemetry::Metrics& metrics, telemetry::SpanExporter& spans);
WebhookObserver ObserveWebhooks(telemetry::Metrics& metrics, telemetry::SpanExporter& spans);

// Measures every answer on Twilio's port from the request's last byte on.
http::Handler Measured(telemetry::Metrics& metrics, http::Handler handler);

// Gauges brought up to date when they are read. The parts outlive the last reading.
struct GaugedParts {
  const Acceptance& acceptance;
  size_t max_in_flight;
  const redis::AdmissionQueue& admissions;
  const kafka::Producer& producer;
  const http::Server& http;
};
void ExportGauges(telemetry::Metrics& metrics, GaugedParts parts);

}  // namespace tocsin::ingress
