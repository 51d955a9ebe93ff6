#include "common/telemetry/fatal.h"

#include <cstdlib>

#include "common/telemetry/log.h"

namespace tocsin::telemetry {
namespace {

constexpr int kExitUsage = 2;
constexpr int kExitUnavailable = 3;

int ExitCodeOf(ErrorCode code) {
  if (code == ErrorCode::kInvalidConfig || code == ErrorCode::kInvalidArgument) return kExitUsage;
  return TraitsOf(code).retryable ? kExitUnavailable : EXIT_FAILURE;
}

}  // namespace

int ReportFatal(const Error& error) {
  if (error.field.empty())
    Log(Severity::kFatal, "service.failed", error.message, {{"reason", error.code}});
  else
    Log(Severity::kFatal, "service.failed", error.message,
        {{"reason", error.code}, {"field", error.field}});
  return ExitCodeOf(error.code);
}

}  // namespace tocsin::telemetry
