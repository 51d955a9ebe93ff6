#include "services/audit/operations/shutdown_deadline.h"

#include "common/base/sleep.h"
#include "common/telemetry/log.h"

namespace tocsin::audit {

void ShutdownDeadline::Start(std::chrono::milliseconds limit) {
  thread_ = std::jthread([this, limit](const std::stop_token& destroyed) {
    if (!SleepFor(limit, destroyed)) return;
    telemetry::Log(telemetry::Severity::kWarn, "service.stopped", "shutdown timed out");
    runtime_.ExitNow();
  });
}

}  // namespace tocsin::audit
