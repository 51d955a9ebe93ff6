// Refuses metadata that looks like personal data: it is stored in the clear (pure).
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "tocsin/v1/alert_service.pb.h"

namespace tocsin::ingress {

// Fails with kInvalidArgument if `value` looks like a phone number, an e-mail address or a payment
// card (FindPii). The error names `field` and never repeats the value. `regions`: those of the
// registry's senders.
Status CheckNoPii(std::string_view value, std::string_view field,
                  std::span<const std::string> regions);

// The idempotency key, names and values of labels (fields labels.key and labels.value), and the
// persons of a plan.
Status CheckMetadata(const v1::EnqueueRequest& request, std::span<const std::string> regions);

}  // namespace tocsin::ingress
