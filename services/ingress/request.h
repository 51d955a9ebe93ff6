// What a caller asks for, checked (pure).
#pragma once

#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/base/secret.h"
#include "common/base/time.h"
#include "common/domain/phone.h"
#include "common/domain/registry.h"
#include "tocsin/v1/alert_service.pb.h"
#include "tocsin/v1/records.pb.h"

namespace tocsin::ingress {

// What a request says, whenever and wherever it is read.
struct RequestForm {
  Phone to;
  v1::AlertClass alert_class;
  v1::Channel channel;
  unsigned segments;      // of an SMS
  v1::SpokenForm spoken;  // of a call
  Pii canonical;          // The same for the same request, whatever its spelling
};

// An alert that may be accepted.
struct CheckedRequest {
  RequestForm form;
  Pii text;
  std::string sender;               // by id
  std::optional<WallTime> send_at;  // not before, when that was asked for
  WallTime not_after;               // horizon
};

// Checks what is wrong with it by itself. Fails as Check() does.
Result<RequestForm> FormOf(const v1::EnqueueRequest& request);

// Checks form and bounds, finds the sender. The error names the field as it stands in
// EnqueueRequest, the reason and the way out; it never repeats `to` or `text`.
Result<CheckedRequest> Check(const v1::EnqueueRequest& request, const RegistrySnapshot& registry,
                             WallTime now);

}  // namespace tocsin::ingress
