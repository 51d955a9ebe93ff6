// Metrics and spans of a worker's POSTs to Twilio, and the latency of alerts until their POST.
#pragma once

#include <functional>

#include "common/telemetry/metrics.h"
#include "common/telemetry/spans.h"
#include "common/twilio/rest/rest_client.h"

namespace tocsin::service {

// For twilio::RestSettings::observe. `metrics` and `spans` outlive the client.
std::function<void(const twilio::PostReport&)> ObservePosts(telemetry::Metrics& metrics,
                                                            telemetry::SpanExporter& spans,
                                                            v1::Channel channel);

// For DeliverySettings::submitted.
std::function<void(v1::Priority, Micros)> ObserveSubmitLatency(telemetry::Metrics& metrics,
                                                               v1::Channel channel);

}  // namespace tocsin::service
