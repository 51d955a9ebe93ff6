#include "common/ports/acceptance_restorer.h"

namespace tocsin {
namespace {

constexpr std::chrono::milliseconds kRetryDelay{1000};

}  // namespace

Error RestoringAcceptances() {
  return {.code = ErrorCode::kRedisUnavailable,
          .message = "acceptances are being restored after Redis lost its data; retry",
          .retry_after = kRetryDelay};
}

}  // namespace tocsin
