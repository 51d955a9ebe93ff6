// Metrics, spans and log lines of the ingress.
#pragma once

#include "common/http/server.h"
#include "common/kafka/adaptive_producer.h"
#include "common/redis/admission_queue.h"
#include "common/service/runtime.h"
#include "common/telemetry/metrics.h"
#include "common/telemetry/spans.h"
#include "services/ingress/acceptance/acceptance.h"
#include "services/ingress/acceptance/acceptance_restoration.h"
#include "services/ingress/ack_pages/ack_handler.h"
#include "services/ingress/rpc/alert_service.h"
#include "services/ingress/webhooks/webhooks.h"

namespace tocsin::ingress {

// The arguments outlive the observers.
AlertServiceObserver ObserveAlerts(telemetry::Metrics& metrics, telemetry::SpanExporter& spans);
AcceptanceRestorationObserver ObserveRestoration(service::Runtime& runtime);
WebhookObserver ObserveWebhooks(telemetry::Metrics& metrics, telemetry::SpanExporter& spans);
AckLinkObserver ObserveAckLinks(telemetry::Metrics& metrics, telemetry::SpanExporter& spans);

// The handler of the public port, with the duration of each request, from its last byte to the
// response.
http::Handler Routed(telemetry::Metrics& metrics, Webhooks& webhooks, AckHandler& ack_handler);

// Gauges that are set at each collection. The parts outlive the last one.
struct GaugedParts {
  const Acceptance& acceptance;
  size_t max_in_flight;
  const redis::AdmissionQueue& admissions;
  const kafka::AdaptiveProducer& producer;
  const http::Server& http;
};
void ExportGauges(telemetry::Metrics& metrics, GaugedParts parts);

}  // namespace tocsin::ingress
