#include "services/worker/probe.h"

#include "common/service/delivery_metrics.h"
#include "common/telemetry/log.h"

namespace tocsin::worker {

WorkerProbe::WorkerProbe(service::Runtime& runtime, v1::Channel channel, const std::string& name)
    : runtime_(runtime),
      delivery_seconds_(runtime.metrics().Histogram(
          "tocsin_delivery_seconds", "Duration of the delivery of one record",
          {.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}, {{"channel", name}})),
      observe_submit_latency_(service::ObserveSubmitLatency(runtime.metrics(), channel)),
      unreconciled_attempts_(runtime.metrics().Gauge(
          "tocsin_unreconciled_attempts",
          "Accepted attempts whose final status or price is unknown", {{"channel", name}})) {
  for (const DeliveryResult result : kDeliveryResults)
    deliveries_[result] =
        &runtime.metrics().Counter("tocsin_deliveries_total", "Records delivered, by result",
                                   {{"channel", name}, {"result", std::string(NameOf(result))}});
  for (const Finding finding : kFindings)
    reconciliations_[finding] = &runtime.metrics().Counter(
        "tocsin_reconciliations_total", "Attempts reconciled with Twilio's records, by result",
        {{"channel", name}, {"result", std::string(NameOf(finding))}});
  runtime.readiness().Declare("claims");
}

void WorkerProbe::OnDelivered(DeliveryResult result, Micros duration) {
  deliveries_.at(result)->Increment();
  delivery_seconds_.Observe(std::chrono::nanoseconds(duration));
}

void WorkerProbe::OnSubmitted(v1::Priority priority, Micros latency) {
  observe_submit_latency_(priority, latency);
}

void WorkerProbe::OnDependencyError(const Error& error) { runtime_.ReportDependencyError(error); }

void WorkerProbe::OnReconciliationRun(std::size_t count) {
  unreconciled_attempts_.Set(static_cast<double>(count));
}

void WorkerProbe::OnReconciled(Finding finding) { reconciliations_.at(finding)->Increment(); }

void WorkerProbe::OnClaimsUsable(bool usable) { runtime_.readiness().Set("claims", usable); }

void WorkerProbe::OnClaimsRestored(std::size_t count, bool complete) {
  telemetry::Log(telemetry::Severity::kInfo, "claims.restored", "claims restored from the log",
                 {{"records", count}, {"complete", complete}});
}

}  // namespace tocsin::worker
