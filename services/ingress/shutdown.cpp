#include "services/ingress/shutdown.h"

#include <algorithm>

#include "common/telemetry/log.h"

namespace tocsin::ingress {
namespace {

using telemetry::Log;
using telemetry::Severity;

constexpr std::chrono::milliseconds kQuietTimeout{2'000};  // for clients to use another replica

}  // namespace

void ShutDown(const ShutdownParts& parts, std::chrono::milliseconds timeout) {
  Log(Severity::kInfo, "service.draining", "finishing requests in flight");
  parts.runtime.readiness().StartDraining();
  parts.grpc.SetServing(false);
  parts.alerts.ShutDown();
  const auto now = std::chrono::steady_clock::now();
  // While gRPC drains it ends new requests with CANCELLED, which clients do not retry. So it drains
  // only when no more requests come. Otherwise the connections end with the process, and clients
  // get UNAVAILABLE.
  const bool quiet = parts.gate.WaitUntilQuiet(now + std::min(timeout, kQuietTimeout));
  if (quiet) parts.grpc.Drain(std::chrono::system_clock::now() + timeout);
  const bool drained = parts.http.Drain(now + timeout);
  parts.works.Stop();  // its callbacks use the webhooks
  // Callbacks of the queue use parts that are destroyed before it, and publish. If clients still
  // send requests, it confirms their alerts until the process ends.
  if (quiet) parts.admissions.Stop();
  const Status flushed = parts.producer.Flush(timeout);
  Log(drained && flushed ? Severity::kInfo : Severity::kWarn, "service.stopped", "stopped",
      {{"in_flight", parts.acceptance.InFlight()}});
  parts.runtime.CloseOps();
  // A late request or report would use parts that are destroyed before its server or the producer.
  if (!quiet || !drained || !flushed) parts.runtime.ExitNow();
}

}  // namespace tocsin::ingress
