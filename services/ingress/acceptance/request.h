// Validation of EnqueueRequest (pure).
#pragma once

#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/base/secret.h"
#include "common/base/time.h"
#include "common/domain/message/phone.h"
#include "common/domain/registry/registry.h"
#include "tocsin/records/v1/records.pb.h"
#include "tocsin/v1/alert_service.pb.h"

namespace tocsin::ingress {

// What a request means, whatever the registry and the time are. Defaults are filled in.
struct NormalizedRequest {
  Phone to;
  v1::Priority priority;
  v1::Channel channel;
  std::int32_t segment_count;  // of an SMS; 0 for a call
  v1::VoiceOptions voice;      // of a call
};

// A request that may be accepted.
struct CheckedRequest {
  NormalizedRequest normalized;
  Pii text;  // as given: a link is not in it yet
  std::string sender_id;
  std::optional<WallTime> send_time;  // nothing: now
  WallTime expire_time;
};

struct RequestRules {
  bool allow_pii_like_metadata = false;  // skips CheckMetadata()
  std::string public_base_url = {};      // of links in messages; no trailing slash
};

// Checks what depends on the request and the length of a link alone. Fails as CheckRequest() does.
Result<NormalizedRequest> Normalize(const v1::EnqueueRequest& request,
                                    const RequestRules& rules = {});

// The request in protobuf's deterministic form, without its key and without differences of
// spelling: equal for equal requests, however they are written. A link is not in its text yet.
Pii CanonicalForm(const v1::EnqueueRequest& request, const NormalizedRequest& normalized);

// Checks the request against the registry and selects the sender. The error names the field, the
// reason and the fix; it never repeats `to`, `text`, or metadata that looks like personal data.
Result<CheckedRequest> CheckRequest(const v1::EnqueueRequest& request,
                                    const RegistrySnapshot& registry, WallTime now,
                                    const RequestRules& rules = {});

}  // namespace tocsin::ingress
