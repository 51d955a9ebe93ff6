// Whether an attempt was submitted to the provider.
#pragma once

#include "common/domain/alert/alert_projection.h"

namespace tocsin::audit {

// False if a rule ended the attempt before its POST. Its events may still contain a start: a worker
// publishes the start before the POST, and releases the attempt if the POST cannot be made.
inline bool WasSubmitted(const AttemptProjection& attempt) {
  switch (attempt.status()) {
    case v1::ATTEMPT_STATUS_EXPIRED:
    case v1::ATTEMPT_STATUS_CANCELLED:
    case v1::ATTEMPT_STATUS_REJECTED: return false;
    // Also the status of an attempt that the provider refused for an opt-out.
    case v1::ATTEMPT_STATUS_SUPPRESSED: return attempt.provider_code() != 0;
    default: return true;
  }
}

}  // namespace tocsin::audit
