#include "common/telemetry/fatal.h"

#include <cstdlib>
#include <iostream>

#include "common/telemetry/scrub.h"

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
  std::cerr << Scrub(error.message) << " [" << TraitsOf(error.code).name << ']';
  if (!error.field.empty()) std::cerr << " (" << Scrub(error.field) << ')';
  std::cerr << std::endl;
  return ExitCodeOf(error.code);
}

}  // namespace tocsin::telemetry
