// What a worker's way to Twilio shows: rates, errors and times of POSTs, a span for each, and how
// long alerts waited for theirs.
#pragma once

#include <functional>

#include "common/telemetry/metrics.h"
#include "common/telemetry/spans.h"
#include "common/twilio/rest.h"

namespace tocsin::service {

// For twilio::RestSettings::observe. Both outlive the client.
std::function<void(const twilio::Exchange&)> ObservePosts(telemetry::Metrics& metrics,
                                                          telemetry::SpanExporter& spans,
                                                          v1::Channel channel);

// For DeliverySettings::handed_over.
std::function<void(v1::AlertClass, Micros)> ObserveHandovers(telemetry::Metrics& metrics,
                                                             v1::Channel channel);

}  // namespace tocsin::service
