// What a caller asks for, checked (pure).
#pragma once

#include <string>

#include "common/base/result.h"
#include "common/base/secret.h"
#include "common/base/time.h"
#include "common/domain/phone.h"
#include "common/domain/registry.h"
#include "tocsin/v1/alert_service.pb.h"
#include "tocsin/v1/records.pb.h"

namespace tocsin::ingress {

// An alert that may be accepted.
struct CheckedRequest {
  Phone to;
  Pii text;
  v1::AlertClass alert_class;
  v1::Channel channel;
  std::string sender;     // by id
  WallTime send_at;       // not before; the time of the call when none was asked for
  WallTime not_after;     // horizon
  unsigned segments;      // of an SMS
  v1::SpokenForm spoken;  // of a call
  Pii canonical;          // The same for the same request, whatever its spelling
};

// Checks form and bounds, finds the sender. The error names the field as it stands in
// EnqueueRequest, the reason and the way out; it never repeats `to` or `text`.
Result<CheckedRequest> Check(const v1::EnqueueRequest& request, const RegistrySnapshot& registry,
                             WallTime now);

}  // namespace tocsin::ingress
