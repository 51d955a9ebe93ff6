// The ingress's metrics.
#pragma once

#include "common/http/server.h"
#include "common/kafka/producer.h"
#include "common/redis/admission_queue.h"
#include "common/telemetry/metrics.h"
#include "services/ingress/acceptance.h"
#include "services/ingress/alert_service.h"
#include "services/ingress/webhooks.h"

namespace tocsin::ingress {

AlertServiceObserver ObserveAlerts(telemetry::Metrics& metrics);
WebhookObserver ObserveWebhooks(telemetry::Metrics& metrics);

// Gauges brought up to date when they are read. The parts outlive the last reading.
void ExportGauges(telemetry::Metrics& metrics, const Acceptance& acceptance,
                  const redis::AdmissionQueue& admissions, const kafka::Producer& producer,
                  const http::Server& http);

}  // namespace tocsin::ingress
