#include "common/telemetry/explain.h"

#include <cstdlib>
#include <iostream>

#include "common/telemetry/scrub.h"

namespace tocsin::telemetry {
namespace {

constexpr int kWrongUse = 2;
constexpr int kUnreachable = 3;

int ExitCodeOf(ErrorCode code) {
  if (code == ErrorCode::kInvalidConfig || code == ErrorCode::kInvalidArgument) return kWrongUse;
  return TraitsOf(code).retryable ? kUnreachable : EXIT_FAILURE;
}

}  // namespace

int Explain(const Error& error) {
  std::cerr << Scrub(error.message) << " [" << TraitsOf(error.code).name << ']';
  if (!error.field.empty()) std::cerr << " (" << Scrub(error.field) << ')';
  std::cerr << std::endl;
  return ExitCodeOf(error.code);
}

}  // namespace tocsin::telemetry
